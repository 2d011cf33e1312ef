package lookup

import (
	"strings"

	"paravent/internal/access"
)

// PersonOfCustomer returns the name of the key under which the ledger seals what
// is about a customer.
func PersonOfCustomer(id access.CustomerID) string { return personCustomer + string(id) }

// PersonOfEmployee is the same for an employee.
func PersonOfEmployee(id access.EmployeeID) string { return personEmployee + string(id) }

// OfPerson is the inverse of both: of the two ids one is set, none where the
// name is neither's.
func OfPerson(name string) (access.CustomerID, access.EmployeeID) {
	if id, ok := strings.CutPrefix(name, personCustomer); ok {
		return access.CustomerID(id), ""
	}
	if id, ok := strings.CutPrefix(name, personEmployee); ok {
		return "", access.EmployeeID(id)
	}
	return "", ""
}
