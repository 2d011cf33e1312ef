package console_test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"paravent/internal/console"
	"paravent/internal/testenv"
)

// filled puts ids into a route's pattern.
func filled(pattern string) string {
	return strings.NewReplacer("{task}", "t1", "{request}", "r1", "{finding}", "f1", "{login}", "employee1", "{token}", "k1", "{$}", "").Replace(pattern)
}

func TestAFormWithoutTheSessionsTokenIsRefused(t *testing.T) {
	h := newHouse(t)
	for _, pattern := range console.Posts() {
		if pattern == "/sign-in" || pattern == "/setup" {
			continue // have a token of their own; below and in setup_test.go
		}
		for name, token := range map[string]string{"no": "", "another session's": h.sessions["officer"].csrf, "an invented": "x"} {
			w := h.send(t, "lead", filled(pattern), url.Values{"csrf": {token}})
			if w.Code != http.StatusForbidden || !strings.Contains(text(w), "This form didn't come from this page") {
				t.Errorf("POST %s with %s token: got %d", pattern, name, w.Code)
			}
		}
	}
	if w := h.send(t, "lead", "/tasks", nil); w.Code != http.StatusOK {
		t.Error("a refused sign-out signed out")
	}
}

func TestAFormFromAnotherSiteIsRefused(t *testing.T) {
	h := newHouse(t)
	for _, pattern := range console.Posts() {
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://elsewhere.example"}, {"Origin", "null"}} {
			w := h.send(t, "lead", filled(pattern), url.Values{}, func(r *http.Request) { r.Header.Set(header[0], header[1]) })
			if w.Code != http.StatusForbidden {
				t.Errorf("POST %s with %v: got %d, want 403", pattern, header, w.Code)
			}
		}
	}
}

func TestEveryAnswerCarriesTheHeaders(t *testing.T) {
	h := newHouse(t, func(c *console.Config) { c.Hosts = []string{"example.com"} })
	var paths []string
	for _, pattern := range console.Gets() {
		paths = append(paths, filled(pattern))
	}
	paths = append(paths, "/nothing", "/assets/0/paravent.css", "/findings/none", asset(t, h, "paravent.css"))
	for _, path := range paths {
		for _, role := range []string{"", "agent", "officer"} {
			w := h.send(t, role, path, nil)
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
				"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s as %q: %s is %q", path, role, name, got)
				}
			}
			if len(w.Header().Get("X-Request-Id")) != 16 {
				t.Errorf("%s as %q: no request id", path, role)
			}
			if cache := w.Header().Get("Cache-Control"); w.Code == http.StatusOK && strings.HasPrefix(path, "/assets/") {
				if cache != "public, max-age=31536000, immutable" {
					t.Errorf("%s: Cache-Control is %q", path, cache)
				}
			} else if cache != "no-store" {
				t.Errorf("%s as %q: Cache-Control is %q", path, role, cache)
			}
		}
	}
	foreign := h.send(t, "officer", "/overview", nil, func(r *http.Request) { r.Host = "rebound.example" })
	if foreign.Code != http.StatusBadRequest || foreign.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("a foreign host: got %d", foreign.Code)
	}
}

// asset returns where an asset is served, as a page names it.
func asset(t *testing.T, h *house, name string) string {
	t.Helper()
	page := h.send(t, "", "/sign-in", nil).Body.String()
	found := regexp.MustCompile(`/assets/[0-9a-f]{16}/` + regexp.QuoteMeta(name)).FindString(page)
	if found == "" {
		t.Fatalf("the page names no %s", name)
	}
	return found
}

func TestAnAssetIsServedUnderItsHashAlone(t *testing.T) {
	h := newHouse(t)
	path := asset(t, h, "htmx.min.js")
	if w := h.send(t, "", path, nil); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Type"), "javascript") {
		t.Errorf("got %d, %q", w.Code, w.Header().Get("Content-Type"))
	}
	if w := h.send(t, "", "/assets/0000000000000000/htmx.min.js", nil); w.Code != http.StatusNotFound {
		t.Errorf("another hash: got %d", w.Code)
	}
}

func TestSigningIn(t *testing.T) {
	for _, row := range []struct {
		name, prefix string
		tls          bool
	}{{"without TLS", "paravent-", false}, {"with TLS", "__Host-paravent-", true}} {
		t.Run(row.name, func(t *testing.T) {
			h := newHouse(t, func(c *console.Config) { c.TLS = row.tls })
			first := h.send(t, "", "/sign-in?next=%2Ftasks", nil)
			device := first.Result().Cookies()[0]
			if device.Name != row.prefix+"device" || !device.HttpOnly || device.SameSite != http.SameSiteStrictMode || device.Secure != row.tls || device.Path != "/" {
				t.Errorf("the device's cookie is %v", device)
			}
			token := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(first.Body.String())[1]
			try := func(password, token string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
				form := url.Values{"csrf": {token}, "login": {h.logins["agent"]}, "password": {password}, "next": {"/tasks"}}
				return h.send(t, "", "/sign-in", form, func(r *http.Request) {
					for _, c := range cookies {
						r.AddCookie(c)
					}
				})
			}
			if w := try(testenv.Password, token); w.Code != http.StatusForbidden {
				t.Errorf("another browser's form: got %d, want 403", w.Code)
			}
			wrong := try("wrong", token, device)
			if wrong.Code != http.StatusUnauthorized || !strings.Contains(text(wrong), "What") && !strings.Contains(text(wrong), "wrong") {
				t.Errorf("a wrong password: got %d: %s", wrong.Code, text(wrong))
			}
			if strings.Contains(wrong.Body.String(), `value="wrong"`) {
				t.Error("the page gives the password back")
			}
			right := try(testenv.Password, token, device)
			if right.Code != http.StatusSeeOther || right.Header().Get("Location") != "/tasks" {
				t.Fatalf("got %d to %q: %s", right.Code, right.Header().Get("Location"), text(right))
			}
			cookie := right.Result().Cookies()[0]
			if cookie.Name != row.prefix+"session" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure != row.tls || cookie.MaxAge != 0 {
				t.Errorf("the session's cookie is %v", cookie)
			}
			for range 6 {
				wrong = try("wrong", token, device)
			}
			if wrong.Code != http.StatusTooManyRequests || !strings.Contains(wrong.Body.String(), `role="alert"`) {
				t.Errorf("after many misses: got %d: %s", wrong.Code, text(wrong))
			}
		})
	}
}

func TestSigningOutEndsTheSession(t *testing.T) {
	h := newHouse(t)
	if w := h.send(t, "agent", "/sign-out", url.Values{}); w.Code != http.StatusSeeOther {
		t.Fatalf("got %d", w.Code)
	}
	if w := h.send(t, "agent", "/tasks", nil); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/sign-in") {
		t.Errorf("afterwards: got %d", w.Code)
	}
}

func TestTheWayBackLeadsToThisConsoleOnly(t *testing.T) {
	for target, want := range map[string]string{
		"/tasks/t1?x=1": "/tasks/t1?x=1", "": "", "tasks": "", "//elsewhere.example": "", "/\\elsewhere.example": "",
		"https://elsewhere.example/": "", "javascript:alert(1)": "", "/\n/elsewhere.example": "", "/\t/elsewhere.example": "",
	} {
		if got := console.LocalPath(target); got != want {
			t.Errorf("%q: got %q, want %q", target, got, want)
		}
	}
}

func TestNothingIsShownThatIsNotRecorded(t *testing.T) {
	h := newHouse(t)
	w := h.send(t, "agent", "/tasks/t2/lookups", look("identity")) // leaves a request for the lead
	if w.Code != http.StatusAccepted {
		t.Fatalf("got %d", w.Code)
	}
	h.lookups.broken = true
	for _, row := range []struct{ role, path, secret string }{
		{"agent", "/tasks/t1", "c1"},
		{"lead", "/requests", "Ann Agent"},
		{"officer", "/findings", "crowd"},
		{"officer", "/findings/f1", "looked at this customer within"},
		{"officer", "/samples", "Drawn by chance"},
		{"officer", "/customers?id=c1", "#100"},
		{"auditor", "/findings/f1", "looked at this customer within"},
	} {
		w := h.send(t, row.role, row.path, nil)
		if w.Code != http.StatusServiceUnavailable || strings.Contains(text(w), row.secret) {
			t.Errorf("%s as %s: got %d: %.200s", row.path, row.role, w.Code, text(w))
		}
		if strings.Contains(w.Body.String(), errDisk.Error()) {
			t.Errorf("%s tells the operator's error to its reader", row.path)
		}
	}
	if !strings.Contains(h.log.String(), errDisk.Error()) {
		t.Error("the operator isn't told")
	}
}

func TestOpeningAFindingIsAnActAboutItsCustomer(t *testing.T) {
	h := newHouse(t)
	h.send(t, "officer", "/findings/f1", nil)
	h.send(t, "officer", "/customers?id=c3", nil)
	if acts := h.lookups.named("open_finding"); len(acts) != 1 || acts[0].Customer != "c1" || acts[0].About != "f1" {
		t.Errorf("got %+v", acts)
	}
	if acts := h.lookups.named("who_looked"); len(acts) != 1 || acts[0].Customer != "c3" {
		t.Errorf("got %+v", acts)
	}
}

func TestHostileValuesStayText(t *testing.T) {
	h := newHouse(t)
	pages := map[string]*httptest.ResponseRecorder{
		"look-up":     h.send(t, "agent", "/tasks/t1/lookups", url.Values{"category": {"identity", "contact"}, "reason": {hostile}, "order": {"o1"}}),
		"refusal":     h.send(t, "agent", "/tasks/t1/lookups", url.Values{"category": {hostile}, "reason": {hostile}, "order": {hostile}}),
		"caller":      h.send(t, "agent", "/caller", url.Values{"said_order": {hostile}, "said_postcode": {hostile}, "purpose": {hostile}}),
		"task":        h.send(t, "agent", "/tasks/"+url.PathEscape(hostile), nil),
		"finding":     h.send(t, "officer", "/findings/f2", nil),
		"findings":    h.send(t, "officer", "/findings", nil),
		"who looked":  h.send(t, "officer", "/customers?id="+url.QueryEscape(hostile), nil),
		"looked at":   h.send(t, "officer", "/customers?id=c3", nil),
		"way back":    h.send(t, "", "/sign-in?next=/"+url.QueryEscape(hostile), nil),
		"no such":     h.send(t, "officer", "/findings/"+url.PathEscape(hostile), nil),
		"requests":    h.send(t, "lead", "/requests?decided="+url.QueryEscape(hostile), nil),
		"request":     h.send(t, "agent", "/requests/"+url.PathEscape(hostile)+"/state", nil),
		"plain error": h.send(t, "officer", "/"+url.PathEscape(hostile), nil),
	}
	for name, w := range pages {
		if body := w.Body.String(); strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: a value became markup", name)
		}
	}
	for _, name := range []string{"look-up", "finding", "findings"} {
		if !strings.Contains(pages[name].Body.String(), "alert(1)") {
			t.Errorf("%s: the value isn't shown at all: %s", name, text(pages[name]))
		}
	}
}

func TestAValueBeyondMeasureIsRefused(t *testing.T) {
	h := newHouse(t)
	long := strings.Repeat("x", 100<<10)
	for role, path := range map[string]string{"officer": "/customers?id=" + long[:300], "agent": "/tasks/" + long[:300]} {
		if w := h.send(t, role, path, nil); w.Code < 400 || w.Code >= 500 {
			t.Errorf("%s: got %d: %.200s", path[:20], w.Code, text(w))
		}
	}
	if w := h.send(t, "agent", "/tasks/t1/lookups", url.Values{"reason": {long}}); w.Code < 400 || w.Code >= 500 {
		t.Errorf("a large form: got %d", w.Code)
	}
}

// external finds an address of another host.
var external = regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]{2,}`)

func TestNoFileNamesAnotherHost(t *testing.T) {
	// Neither is asked for by a browser: the name of the SVG language, and the
	// note at the head of a script that is served as it came.
	known := strings.NewReplacer(`xmlns="http://www.w3.org/2000/svg"`, "", "/*! https://github.com/leeoniya/uPlot (", "")
	each(t, func(name, content string) {
		if strings.HasSuffix(name, ".LICENSE") {
			return
		}
		if found := external.FindString(known.Replace(content)); found != "" {
			t.Errorf("%s names %s", name, found)
		}
	})
}

func TestNoTemplateHoldsInlineScriptOrStyle(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|<script(?:[^>]*src=)?[^>]*>[^<]|\sstyle\s*=|\son[a-z]+\s*=|javascript:|hx-on|hx-vals="?js:`)
	each(t, func(name, content string) {
		if !strings.HasSuffix(name, ".html") {
			return
		}
		if found := inline.FindString(content); found != "" {
			t.Errorf("%s holds %q", name, found)
		}
	})
}

// each calls use with every embedded file.
func each(t *testing.T, use func(name, content string)) {
	t.Helper()
	files := 0
	for _, all := range []fs.FS{console.AssetFiles, console.TemplateFiles} {
		err := fs.WalkDir(all, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			f, err := all.Open(path)
			if err != nil {
				return err
			}
			content, err := io.ReadAll(f)
			if err != nil {
				return err
			}
			files++
			use(path, string(content))
			return f.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 20 {
		t.Errorf("only %d files were read", files)
	}
}
