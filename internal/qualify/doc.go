// Package qualify knows who has read the guideline, passed the training and
// attested to it, and until when that holds. Nobody looks at anybody before all
// three are current.
//
// For now these rows come from a CSV file; the package gives no training
// itself. What follows from a lack is policy's to decide.
package qualify
