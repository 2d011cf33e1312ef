package access

import "time"

// Role is what an employee is in the directory. The directory may hold other
// roles than the ones named here; an unknown role has no rights.
type Role string

// The roles that Paravent knows.
const (
	RoleAgent          Role = "agent"           // works tasks, looks up their customers
	RoleTeamLead       Role = "team_lead"       // leads a team; may be a second person
	RolePrivacyOfficer Role = "privacy_officer" // reads findings; may be a second person
	RoleAuditor        Role = "auditor"         // reads all, changes nothing
	RoleAdministrator  Role = "administrator"   // runs the system; sees no customer and no finding
	RoleSecurity       Role = "security"
	RoleLegal          Role = "legal"
	RoleTraining       Role = "training"  // an account for exercises on made-up customers
	RoleBot            Role = "bot"       // a program that works tasks by itself
	RoleProgram        Role = "program"   // asks for decisions over AuthZEN on behalf of employees
	RoleConnector      Role = "connector" // brings in tasks, contacts and the directory
)

// roleSupervisor is the word that exported directories often use for a team lead.
const roleSupervisor Role = "supervisor"

// Lead reports whether the role leads a team, under either of the names that
// directories use for it.
func (r Role) Lead() bool { return r == RoleTeamLead || r == roleSupervisor }

// Automatic reports whether look-ups under this role are made by a program or
// an exercise rather than by a person at work.
func (r Role) Automatic() bool { return r == RoleBot || r == RoleTraining }

// Machine reports whether the role is a program's own account. Nobody sits behind
// it, so it sees no customer by itself.
func (r Role) Machine() bool { return r == RoleProgram || r == RoleConnector || r == RoleBot }

// Employee is who looks, as the directory knows him.
type Employee struct {
	ID        EmployeeID `json:"id"`
	Name      string     `json:"name,omitempty"` // as shown on pages; may be empty
	Surname   string     `json:"surname,omitempty"`
	Household string     `json:"household,omitempty"` // same token: same address
	Team      TeamID     `json:"team,omitempty"`
	Role      Role       `json:"role"`
	Manager   EmployeeID `json:"manager,omitempty"`
	JoinedOn  time.Time  `json:"joined_on,omitzero"` // midnight UTC of the day; zero: not known
	LeavesOn  time.Time  `json:"leaves_on,omitzero"` // midnight UTC of the day; zero: not known
}

// Customer is what the company knows about a customer besides her data: the
// facts that decide who must not look at her alone.
type Customer struct {
	ID        CustomerID `json:"id"`
	Surname   string     `json:"surname,omitempty"`
	Household string     `json:"household,omitempty"`
	Notable   bool       `json:"notable,omitempty"`  // in the public eye
	Employee  EmployeeID `json:"employee,omitempty"` // set where she is an employee herself
}

// RelationKind says how an employee and a customer know each other.
type RelationKind string

// The relations that a company can lawfully know.
const (
	RelationSelf          RelationKind = "self"
	RelationFamily        RelationKind = "family"
	RelationFormerPartner RelationKind = "former_partner"
	RelationCoworker      RelationKind = "coworker"
	RelationNeighbour     RelationKind = "neighbour"
)

// Relation is one declared or known tie.
type Relation struct {
	Employee EmployeeID   `json:"employee"`
	Customer CustomerID   `json:"customer"`
	Kind     RelationKind `json:"kind"`
}
