package api

import "net/http"

// routes lists every route of this door.
func (a *api) routes() http.Handler {
	mux := http.NewServeMux()

	// look-ups
	mux.HandleFunc("POST /v1/lookups", a.proven(a.handleLookup))
	mux.HandleFunc("POST /v1/callers", a.proven(a.handleCaller))
	mux.HandleFunc("POST /v1/locks/{employee}/lift", a.proven(a.handleLift))
	mux.HandleFunc("GET /v1/explain", a.proven(a.handleExplain))

	// requests for a second person
	mux.HandleFunc("GET /v1/requests", a.proven(a.handleRequests))
	mux.HandleFunc("GET /v1/requests/{id}", a.proven(a.handleRequest))
	mux.HandleFunc("POST /v1/requests/{id}", a.proven(a.handleDecide))

	// forgetting people
	mux.HandleFunc("POST /v1/erasures", a.proven(a.handleAskErasure))
	mux.HandleFunc("GET /v1/erasures", a.proven(a.handleErasures))

	// access tokens
	mux.HandleFunc("POST /v1/tokens", a.handleIssue) // proven by login and password
	mux.HandleFunc("GET /v1/tokens", a.proven(a.handleTokens))
	mux.HandleFunc("DELETE /v1/tokens/{id}", a.proven(a.handleRevoke))

	// tools that act for people
	mux.HandleFunc("POST /v1/on-behalf", a.handleOnBehalf) // proven by a token or a session

	// what came past Paravent
	mux.HandleFunc("GET /v1/observed", a.proven(a.handleWatched))
	mux.HandleFunc("POST /v1/observed", a.proven(a.handleObserved))

	// accounts
	mux.HandleFunc("POST /v1/setup", a.handleSetup)       // proven by the code that init printed
	mux.HandleFunc("POST /v1/password", a.handlePassword) // proven by login and password
	mux.HandleFunc("POST /v1/accounts", a.proven(a.handleAddAccount))
	mux.HandleFunc("POST /v1/accounts/{login}/password", a.proven(a.handleResetPassword))
	mux.HandleFunc("POST /v1/accounts/{login}/close", a.proven(a.handleCloseAccount))
	mux.HandleFunc("POST /v1/accounts/{login}/open", a.proven(a.handleOpenAccount))

	// facts of the business
	mux.HandleFunc("POST /v1/import/{table}", a.proven(a.handleImport))

	// the ledger itself, for those who run and watch it
	mux.HandleFunc("POST /v1/ledger/rotations", a.proven(a.handleRotate))
	mux.HandleFunc("POST /v1/ledger/drops", a.proven(a.handleDrop))
	mux.HandleFunc("GET /v1/ledger/logs", a.proven(a.handleLogs))

	// the ledger, for those who audit
	mux.HandleFunc("GET /v1/evidence/{id}", a.proven(a.handleEvidence))
	if a.LedgerPublic {
		mux.HandleFunc("GET /ledger/", a.serveLedger)
	} else {
		mux.HandleFunc("GET /ledger/", a.proven(a.handleLedger))
	}

	// the program itself
	mux.HandleFunc("GET /v1/state", a.handleState) // more for who is proven

	// OpenID AuthZEN Authorization API 1.0
	mux.HandleFunc("POST /access/v1/evaluation", a.proven(a.handleEvaluation))
	mux.HandleFunc("GET /.well-known/authzen-configuration", a.handleMetadata)

	mux.HandleFunc("/", a.handleNothing)
	return a.guard(mux)
}
