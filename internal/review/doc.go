// Package review holds the look-ups of the past, as a company exports them,
// against the facts of the business: files in, findings and a report out. It
// is the same detection as the live one, fed from files.
//
// The way of a row:
//
//  1. inputs.go finds the files of DIR and unpacks them; rows.go takes each
//     apart into rows and cells; tables.go says what a row of each table means
//     and turns it into one or two records, or says why it is bad.
//  2. sorter.go puts the records of each file in order of time, in bounded
//     memory, spilling to temporary files where they don't fit.
//  3. When more than one row in a hundred of a file is bad, nobody is judged.
//  4. judge.go merges the sorted files into one stream of events, in order of
//     time, and feeds it to the engine of package detect.
//  5. story.go goes through the stream once more to fetch what the report shows
//     of each finding: its look-ups, and the customer's tasks and contacts.
//  6. output.go writes all files where nobody sees them and then puts them in
//     their place, so that an interrupted review leaves nothing half-written.
//
// The same input gives the same output, byte for byte: no clock is read, no
// order of a map is seen, and the order of rows in a file plays no part (events
// of the same moment are ordered by kind and content; see record.go).
package review
