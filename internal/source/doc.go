// Package source reads the protected databases, and nothing but what a grant
// allows (G2).
//
// A read goes table by table along the policy's data map. What is not mapped is
// not selected; of a column whose category isn't granted, the value is selected
// only where its mask is made of it; a row is read only where the map's column
// or path leads to the grant's customer, compared byte by byte whatever collation
// or type the database has; reach, order and sensitive goods narrow it further.
// Names of tables and columns come from the data map alone and are checked
// against the database when it is opened; whatever comes from an asker is a
// parameter, never SQL.
//
// The database is opened read-only and query_only. Load, which writes the sample
// shop of `init` and the demo, is the one exception and opens its own file.
package source
