package console

import (
	"paravent/internal/access"
	"paravent/internal/identity"
)

// audience reports whether somebody who is signed in may open a page. An
// unknown role is in no audience but signedIn and employees.
type audience func(identity.SignedIn) bool

func signedIn(identity.SignedIn) bool { return true }

func employees(in identity.SignedIn) bool { return in.Who.Proven() }

func customers(in identity.SignedIn) bool { return !in.Who.Proven() && in.Customer.ID() != "" }

// workers are given tasks.
func workers(in identity.SignedIn) bool {
	switch r := roleOf(in); r {
	case access.RoleAgent, access.RoleSecurity, access.RoleLegal, access.RoleTraining:
		return true
	default:
		return r.Lead()
	}
}

// leads may lift a lock.
func leads(in identity.SignedIn) bool { return roleOf(in).Lead() }

// deciders may be a second person; which requests are theirs, investigate says.
func deciders(in identity.SignedIn) bool {
	return leads(in) || readers(in) || operators(in)
}

// readers may open findings and who looked at a customer.
func readers(in identity.SignedIn) bool {
	r := roleOf(in)
	return r == access.RolePrivacyOfficer || r == access.RoleAuditor
}

// officers ask for erasures.
func officers(in identity.SignedIn) bool { return roleOf(in) == access.RolePrivacyOfficer }

// operators see the state of the system and nobody's data.
func operators(in identity.SignedIn) bool { return roleOf(in) == access.RoleAdministrator }

// roleOf returns the role of an employee, "" for a customer.
func roleOf(in identity.SignedIn) access.Role {
	if !in.Who.Proven() {
		return ""
	}
	return in.Who.Employee().Role
}

// link is an entry of the navigation.
type link struct {
	Href, Text string
	Here       bool
}

// links returns the pages that somebody may open, his home first.
func links(in identity.SignedIn) []link {
	all := []struct {
		may  audience
		link link
	}{
		{readers, link{Href: "/overview", Text: "Overview"}},
		{readers, link{Href: "/findings", Text: "Findings"}},
		{readers, link{Href: "/samples", Text: "Samples"}},
		{readers, link{Href: "/customers", Text: "Who looked"}},
		{operators, link{Href: "/system", Text: "System"}},
		{operators, link{Href: "/accounts", Text: "Accounts"}},
		{deciders, link{Href: "/requests", Text: "Requests"}},
		{readers, link{Href: "/erasures", Text: "Erasures"}},
		{workers, link{Href: "/tasks", Text: "My tasks"}},
		{workers, link{Href: "/caller", Text: "Find the caller"}},
		{customers, link{Href: "/mine", Text: "Who looked at my data"}},
		{employees, link{Href: "/own", Text: "My look-ups"}},
	}
	var out []link
	for _, l := range all {
		if l.may(in) {
			out = append(out, l.link)
		}
	}
	return out
}

// roleTitle is a role in the words of the pages.
func roleTitle(r access.Role) string {
	switch r {
	case access.RoleAgent:
		return "Agent"
	case access.RolePrivacyOfficer:
		return "Privacy officer"
	case access.RoleAuditor:
		return "Auditor"
	case access.RoleAdministrator:
		return "Administrator"
	case access.RoleSecurity:
		return "Security"
	case access.RoleLegal:
		return "Legal"
	case access.RoleTraining:
		return "Training"
	case access.RoleBot, access.RoleProgram, access.RoleConnector:
		return "Program"
	case "":
		return "Customer"
	}
	if r.Lead() {
		return "Team lead"
	}
	return words(string(r))
}

// instead says what a role may do, for the page that refuses another.
func instead(in identity.SignedIn) string {
	switch r := roleOf(in); {
	case r == "":
		return "Your account shows who looked at your data."
	case r == access.RoleAdministrator:
		return "Administrators keep the system, its ledger and its accounts. They see no customer and no finding; a privacy officer does."
	case readers(in) && r == access.RoleAuditor:
		return "Auditors read overview, findings, samples and who looked at a customer, and agree to changes of the ledger. They change nothing themselves."
	case readers(in):
		return "Privacy officers read findings and who looked at a customer, and decide requests. They work no tasks."
	case r.Lead():
		return "Team leads decide requests that wait for a second person, lift locks and work their own tasks."
	case workers(in):
		return "You can open your own tasks, look up the customer of a task, and find the caller of a call."
	default:
		return "This account is made for programs; they use the API with an access token."
	}
}
