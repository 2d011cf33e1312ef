package console

import (
	"net/http"

	"paravent/internal/access"
)

// route is one page: its pattern, who may open it, and what serves it. An
// audience of nil is anyone, signed in or not.
type route struct {
	pattern string
	may     audience
	serve   func(*visit) error
}

// routes lists every page of the console.
func (c *console) routes() []route {
	return []route{
		// Coming and going.
		{"GET /{$}", signedIn, (*visit).home},
		{"GET /sign-in", nil, (*visit).signInPage},
		{"POST /sign-in", nil, (*visit).signIn},
		{"POST /sign-out", signedIn, (*visit).signOut},
		{"GET /setup", nil, (*visit).setupPage},
		{"POST /setup", nil, (*visit).setup},

		// Everybody's own account.
		{"GET /account", signedIn, (*visit).account},
		{"POST /account/password", signedIn, (*visit).changePassword},
		{"POST /account/tokens/{token}/revoke", employees, (*visit).revokeToken},

		// Who works tasks.
		{"GET /tasks", workers, (*visit).tasks},
		{"GET /tasks/{task}", workers, (*visit).task},
		{"POST /tasks/{task}/lookups", workers, (*visit).look},
		{"GET /requests/{request}/state", workers, (*visit).requestState},
		{"GET /caller", workers, (*visit).callerPage},
		{"POST /caller", workers, (*visit).findCaller},
		{"GET /own", employees, (*visit).own},

		// Who may be the second person.
		{"GET /requests", deciders, (*visit).requests},
		{"POST /requests/{request}", deciders, (*visit).decide},
		{"POST /locks", leads, (*visit).liftLock},

		// Who watches.
		{"GET /overview", readers, (*visit).overview},
		{"GET /overview/figures", readers, (*visit).figures},
		{"GET /findings", readers, (*visit).findings},
		{"GET /findings/{finding}", readers, (*visit).finding},
		{"GET /samples", readers, (*visit).samples},
		{"GET /customers", readers, (*visit).customer},
		{"GET /erasures", readers, (*visit).erasures},
		{"POST /erasures", officers, (*visit).askErasure},

		// Who runs the system.
		{"GET /system", operators, (*visit).system},
		{"POST /system/rotations", operators, (*visit).askRotation},
		{"POST /system/drops", operators, (*visit).askDrop},
		{"GET /accounts", operators, (*visit).accounts},
		{"POST /accounts", operators, (*visit).addAccount},
		{"POST /accounts/{login}/password", operators, (*visit).resetPassword},
		{"POST /accounts/{login}/close", operators, (*visit).closeAccount},
		{"POST /accounts/{login}/open", operators, (*visit).openAccount},

		// The customer herself.
		{"GET /mine", customers, (*visit).mine},
	}
}

// beforeChange are the routes that are open to somebody who has only a first
// password, which two people know; every other sends him to change it.
var beforeChange = []string{"GET /account", "POST /account/password", "POST /sign-out"}

// handler joins routes and middleware. What stands before each page, outermost
// first: recovery, request id, headers, host, size of the body, same origin;
// then, per route, session, form token, first password, audience.
func (c *console) handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range c.routes() {
		mux.HandleFunc(rt.pattern, c.page(rt))
	}
	mux.HandleFunc("GET /assets/{hash}/{name}", c.serveAsset)
	mux.HandleFunc("/", c.page(route{serve: (*visit).nothingHere}))
	return c.outer(mux)
}

// nothingHere answers an address that no route has.
func (v *visit) nothingHere() error {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return access.Errorf(access.Invalid, "This page can't be used that way.").
			WithHint("Go back to the start and try from there.")
	}
	return access.Errorf(access.NotFound, "There is no page here.").
		WithHint("Check the address, or go back to the start.")
}
