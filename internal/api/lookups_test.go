package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"paravent/internal/access"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// failure is the body of an error.
type failure struct {
	Error struct {
		Code, Message, Hint string
		Waiting             string `json:"waiting_request"`
		RequestID           string `json:"request_id"`
	}
}

// disclosure is the answer to a look-up.
type disclosure struct {
	Lookup access.LookupID
	Grant  access.Grant
	Tables []struct {
		Name    string
		Columns []struct {
			Name   string
			Masked bool
		}
		Rows [][]any
	}
	Recorded ledger.Receipt `json:"recorded_as"`
	Outcome  ledger.Receipt
}

func TestALookUpShowsItsGrantAndProvesItsRecords(t *testing.T) { // G1, G2, G3
	h := newHouse(t)
	r := h.do(t, "e1", "POST", "/v1/lookups", `{"task":"mine","reason":"money back"}`)
	if r.status != http.StatusOK {
		t.Fatalf("%d: %s", r.status, r.body)
	}
	d := decode[disclosure](t, r)
	for _, receipt := range []ledger.Receipt{d.Recorded, d.Outcome} {
		if err := receipt.Verify(h.ledger.Public()); err != nil {
			t.Errorf("receipt: %v", err)
		}
	}
	var names []string
	for _, table := range d.Tables {
		names = append(names, table.Name)
	}
	if want := []string{"customers", "orders", "order_items", "payments"}; !slices.Equal(names, want) {
		t.Errorf("tables: got %v, want %v", names, want)
	}
	if !strings.Contains(r.body, "Ann Archer") || !strings.Contains(r.body, "Kettle") {
		t.Error("what is granted isn't shown")
	}
	for _, hidden := range []string{"DE00123456781111", "Ointment", "2026-01-15", "Bob"} {
		if strings.Contains(r.body, hidden) {
			t.Errorf("%q is shown", hidden)
		}
	}
	all := h.records(t)
	if len(all) != 2 || all[0].Number != d.Recorded.Number || all[1].Number != d.Outcome.Number || all[0].Lookup.ID != d.Lookup {
		t.Errorf("records: %+v", all)
	}
	silent(t, "the log", h.log.String())
}

func TestFewerCategoriesMaskTheRest(t *testing.T) { // G2
	h := newHouse(t)
	r := h.do(t, "e1", "POST", "/v1/lookups", `{"task":"address","categories":["identity"]}`)
	d := decode[disclosure](t, r)
	if r.status != http.StatusOK || len(d.Tables) != 1 {
		t.Fatalf("%d: %s", r.status, r.body)
	}
	masked := map[string]bool{}
	for _, c := range d.Tables[0].Columns {
		masked[c.Name] = c.Masked
	}
	if masked["name"] || !masked["email"] || !masked["street"] || strings.Contains(r.body, "ann@example.org") || strings.Contains(r.body, "High Street") {
		t.Errorf("masked: %v in %s", masked, r.body)
	}
}

// Each edit of a request gets nothing; whatever could tell of another customer
// reads the same byte for byte, besides the request's id (G9).
func TestEditedRequestsReadAlike(t *testing.T) {
	h := newHouse(t)
	same := map[string][]string{
		"a customer, task or pair that isn't his": {
			`{"task":"mine","customer":"c2"}`, `{"task":"mine","customer":"c404"}`, `{"task":"mine","customer":"star"}`,
			`{"task":"theirs"}`, `{"task":"theirs","customer":"c2"}`, `{"task":"theirs","customer":"c1"}`,
			`{"task":"t404"}`, `{"task":"t404","customer":"c1"}`,
		},
		"an order that isn't the task's": {
			`{"task":"mine","order":"o4"}`, `{"task":"mine","order":"o404"}`, `{"task":"mine","order":"o2"}`,
		},
		"more than the purpose needs": {
			`{"task":"mine","categories":["delivery"]}`, `{"task":"mine","categories":["diary"]}`,
		},
		"a closed task": {`{"task":"closed"}`, `{"task":"closed","customer":"c1"}`},
	}
	tries := 0
	for name, bodies := range same {
		seen := map[string]bool{}
		for _, body := range bodies {
			tries++
			r := h.do(t, "e1", "POST", "/v1/lookups", body, "X-Request-ID", "the-same")
			if r.status != http.StatusForbidden {
				t.Errorf("%s: %d for %s", name, r.status, body)
			}
			silent(t, "the refusal", r.body)
			r.header.Del("Date")
			seen[fmt.Sprint(r.status, r.header, r.body)] = true
		}
		if len(seen) != 1 {
			t.Errorf("%s: told apart %d cases: %v", name, len(seen), seen)
		}
	}
	all := h.records(t)
	if len(all) != tries {
		t.Errorf("%d records of %d tries", len(all), tries)
	}
	for _, d := range all {
		if d.Kind != ledger.KindRefusal || len(d.Reasons) == 0 || d.Lookup.Employee != "e1" {
			t.Errorf("record: %+v", d)
		}
	}
	silent(t, "the log", h.log.String())
}

func TestASecondPersonIsAskedAndHisYesIsWorth(t *testing.T) {
	h := newHouse(t)
	ask := func() reply { return h.do(t, "e1", "POST", "/v1/lookups", `{"task":"famous","reason":"she called"}`) }
	first := decode[failure](t, ask())
	if first.Error.Waiting == "" || first.Error.Message != "A second person must agree before this is shown." {
		t.Fatalf("got %+v", first)
	}
	if again := decode[failure](t, ask()); again.Error.Waiting != first.Error.Waiting {
		t.Error("asking again made another request")
	}
	path := "/v1/requests/" + first.Error.Waiting
	if r := h.do(t, "e1", "GET", path, ""); r.status != 200 || strings.Contains(r.body, "notable") || strings.Contains(r.body, "star") {
		t.Errorf("his own request: %d %s", r.status, r.body)
	}
	if r := h.do(t, "e2", "GET", path, ""); r.status != http.StatusNotFound {
		t.Errorf("somebody else's request: %d", r.status)
	}
	if r := h.do(t, "e1", "POST", path, `{"agree":true}`); r.status != http.StatusForbidden {
		t.Errorf("he agreed himself: %d", r.status)
	}
	if r := h.do(t, "l1", "GET", "/v1/requests", ""); r.status != 200 || !strings.Contains(r.body, "notable") {
		t.Errorf("the lead's list: %d %s", r.status, r.body)
	}
	if r := h.do(t, "l1", "POST", path, `{}`); r.status != http.StatusBadRequest {
		t.Errorf("neither yes nor no: %d", r.status)
	}
	if r := h.do(t, "l1", "POST", path, `{"agree":true,"note":"ok"}`); r.status != 200 {
		t.Errorf("the lead's yes: %d %s", r.status, r.body)
	}
	if r := h.do(t, "p1", "POST", path, `{"agree":false}`); r.status != http.StatusConflict {
		t.Errorf("a second decision: %d", r.status)
	}
	if r := ask(); r.status != 200 {
		t.Errorf("after the yes: %d %s", r.status, r.body)
	}
}

func TestEachOfManyTriesIsARecordAndMakesNoKey(t *testing.T) {
	h := newHouse(t)
	var wg sync.WaitGroup
	for worker := range 10 {
		wg.Go(func() {
			for i := range 30 {
				body := fmt.Sprintf(`{"task":"mine","customer":"c%d-%d"}`, worker, i)
				if r := h.do(t, "e1", "POST", "/v1/lookups", body); r.status != http.StatusForbidden {
					t.Errorf("%d: %s", r.status, r.body)
				}
			}
		})
	}
	wg.Wait()
	seen := map[access.CustomerID]bool{}
	for _, d := range h.records(t) {
		seen[d.Lookup.Customer] = true
	}
	if len(seen) != 300 {
		t.Errorf("%d tries are in the records, want 300", len(seen))
	}
	keys, err := h.Store.Keys().Lookup(t.Context(), []string{"employee:e1", "customer:c0-0", "customer:c9-29"})
	if err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v; want e1's alone", len(keys), err)
	}
}

func TestWithoutALedgerNothingIsShown(t *testing.T) { // G3
	h := newHouse(t)
	closeIt(t, h.ledger)
	for _, body := range []string{`{"task":"mine"}`, `{"task":"theirs"}`, `{`} {
		r := h.do(t, "e1", "POST", "/v1/lookups", body)
		if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
		silent(t, "the answer", r.body)
	}
	silent(t, "the log", h.log.String())
}

func TestACallerIsFoundOverTheAPI(t *testing.T) {
	h := newHouse(t)
	h.Save(t, &access.Contacted{Contact: access.Contact{ID: "k7", At: h.Clock.Now(), Channel: "call", Direction: "in", Employee: "e1"}})
	r := h.do(t, "e1", "POST", "/v1/callers", `{"said":{"order":"o1","postcode":"ab1 2cd"},"purpose":"refund"}`)
	if r.status != 200 || !strings.Contains(r.body, `"task":"call-k7"`) || !strings.Contains(r.body, `"self_made":false`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	silent(t, "the answer", r.body)
	if r := h.do(t, "e1", "POST", "/v1/lookups", `{"task":"call-k7"}`); r.status != 200 || !strings.Contains(r.body, "Kettle") {
		t.Errorf("his look-up: %d %s", r.status, r.body)
	}
	miss := func(body string) string {
		r := h.do(t, "e1", "POST", "/v1/callers", body, "X-Request-ID", "the-same")
		return fmt.Sprint(r.status, r.body)
	}
	if a, b := miss(`{"said":{"order":"o4","postcode":"XX"},"purpose":"refund"}`), miss(`{"said":{"order":"o404","postcode":"XX"},"purpose":"refund"}`); a != b || !strings.HasPrefix(a, "404") {
		t.Errorf("a wrong postcode: %s, no such order: %s", a, b)
	}
	for range 3 {
		miss(`{"said":{"order":"o404","postcode":"XX"},"purpose":"refund"}`)
	}
	if got := miss(`{"said":{"order":"o1","postcode":"AB1 2CD"},"purpose":"refund"}`); !strings.HasPrefix(got, "403") {
		t.Errorf("after five misses: %s", got)
	}
	if r := h.do(t, "e1", "POST", "/v1/locks/e1/lift", ""); r.status != http.StatusForbidden {
		t.Errorf("he lifted his own lock: %d", r.status)
	}
	if r := h.do(t, "l1", "POST", "/v1/locks/e1/lift", ""); r.status != 200 {
		t.Errorf("his lead: %d %s", r.status, r.body)
	}
	silent(t, "the log", h.log.String())
}

func TestExplainOverTheAPI(t *testing.T) {
	h := newHouse(t)
	r := h.do(t, "e1", "GET", "/v1/explain?task=mine", "")
	if r.status != 200 || !strings.Contains(r.body, `"effect":"allow"`) || !strings.Contains(r.body, `"iban"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	silent(t, "the explanation", r.body)
	if r := h.do(t, "e2", "GET", "/v1/explain?employee=e1&task=mine", ""); r.status != http.StatusForbidden {
		t.Errorf("a colleague: %d", r.status)
	}
	if r := h.do(t, "e1", "GET", "/v1/explain?task=famous", ""); strings.Contains(r.body, "notable") || strings.Contains(r.body, "public eye") {
		t.Errorf("himself about somebody famous: %s", r.body)
	}
}

func TestAnAskerWhoGoesAwayIsRecordedAllTheSame(t *testing.T) {
	h := newHouse(t)
	who := h.who(t, "e1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := h.lookups.Look(ctx, who, lookup.Request{Task: "mine"}); err == nil {
		t.Errorf("something was shown to somebody who had gone: %v", d.ID)
	}
	all := h.records(t)
	if len(all) == 0 || !all[len(all)-1].Ends {
		t.Errorf("records: %+v", all)
	}
}
