package console_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"paravent/internal/console"
	"paravent/internal/ledger"
	"paravent/internal/testenv"
)

// pictures is for whoever changes how pages look: with it, every page is
// written there as a picture, light, dark and narrow.
var pictures = flag.String("pictures", "", "folder to write pictures of every page to")

// browser is a real Chromium before a console, with everything noted that it
// asked for and complained about.
type browser struct {
	ctx  context.Context
	base string

	mu         sync.Mutex
	requests   []string
	complaints []string
}

// newBrowser starts Chromium, or skips the test where there is none. On a
// machine that calls itself CI, a missing Chromium is a failure.
func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Chromium, and CI must try the pages in one: apt-get install chromium")
		}
		t.Skip("there is no Chromium to try the pages in: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1280, 860),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(t.TempDir()))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox doesn't work for root
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(func() { stop(); stopAllocator() })
	b := &browser{ctx: ctx, base: base}
	if err := chromedp.Do(ctx, command(network.Enable, network.EnableParams{}), command(cdplog.Enable, cdp.Empty{})); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatalf("listen to Chromium: %v", err)
	}
	return b
}

// note keeps what the browser asked for and complained about.
func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *cdplog.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Value))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	}
}

// clean fails the test if the browser asked another host for anything, or
// complained: a violated policy, a broken script, a failed load.
func (b *browser) clean(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if !strings.HasPrefix(r, b.base+"/") && !strings.HasPrefix(r, "data:") { // a picture of the browser's own, in a date's field
			t.Errorf("the browser asked for %s", r)
		}
	}
	for _, c := range b.complaints {
		t.Errorf("the browser complains: %s", c)
	}
	b.requests, b.complaints = nil, nil
}

// command is a protocol command as a step.
func command[P, R any](cmd cdp.Command[P, R], params P) step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cmd, params)
		return err
	})
}

type (
	step = chromedp.Action[chromedp.Void]
	css  = chromedp.CSS
)

// run does something in the browser.
func (b *browser) run(t *testing.T, what string, steps ...step) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// ask reads something from the page.
func ask[T any](t *testing.T, b *browser, a chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	got, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// until waits until an expression is true on the page.
func until(expression string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Poll[bool](expression)(ctx, target)
		return err
	})
}

// as takes up somebody's session.
func (b *browser) as(s session) step {
	return command(network.SetCookie, network.SetCookieParams{Name: "paravent-session", Value: s.secret, URL: b.base})
}

// signIn signs in through the page, out of whatever session there was.
func (b *browser) signIn(t *testing.T, login string) {
	t.Helper()
	b.run(t, "sign in as "+login, forget, chromedp.Navigate(b.base+"/"),
		chromedp.WaitVisible(css("#login")), chromedp.SendKeys(css("#login"), login), chromedp.SendKeys(css("#password"), testenv.Password),
		chromedp.Click(css("button.wide")), chromedp.WaitVisible(css(".top nav")))
}

// forget drops every cookie.
var forget = command(network.ClearBrowserCookies, cdp.Empty{})

// serveHouse puts a house on a loopback address.
func serveHouse(t *testing.T, options ...func(*console.Config)) (*house, string) {
	t.Helper()
	h := newHouse(t, options...)
	server := httptest.NewServer(h.handler)
	t.Cleanup(server.Close)
	return h, server.URL
}

func TestInABrowserAnAgentLooksAndIsToldTheRecord(t *testing.T) {
	h, base := serveHouse(t)
	h.env.Clock.Set(time.Now()) // the browser's clock can't be set, and it watches the grant
	h.renew(t, "agent")
	b := newBrowser(t, base)
	b.signIn(t, h.logins["agent"])
	b.run(t, "open a task", chromedp.Click(css(`a[href="/tasks/t1"]`)), chromedp.WaitVisible(css(".look")))
	b.run(t, "look", chromedp.Click(css(`input[value="contact"]`)), chromedp.Click(css(".look button")), chromedp.WaitVisible(css(".result")))
	recorded := ask(t, b, chromedp.Text(css(".recorded")))
	focused := ask(t, b, chromedp.Evaluate[string]("document.activeElement.id"))
	disabled := ask(t, b, chromedp.Evaluate[bool]("document.querySelector('.look button').disabled"))
	markup := ask(t, b, chromedp.Evaluate[int]("document.querySelectorAll('.result script, .result img').length"))
	if !strings.Contains(recorded, "This look-up was recorded as #") || focused != "answer" || disabled || markup != 0 {
		t.Errorf("the page says %q, focus is in %q, the button is off: %t, values became %d elements", recorded, focused, disabled, markup)
	}
	b.clean(t)
	b.run(t, "find the caller", chromedp.Navigate(base+"/caller"), chromedp.SendKeys(css("#said_order"), "o1"), chromedp.SendKeys(css("#said_postcode"), "ab1 2cd"),
		chromedp.SetValue(css("#purpose"), "refund"), chromedp.Click(css("main .card button")), chromedp.WaitVisible(css(".found")))
	b.clean(t)
}

func TestInABrowserAWaitingRequestIsDecided(t *testing.T) {
	h, base := serveHouse(t)
	h.env.Clock.Set(time.Now())
	h.renew(t, "agent", "lead")
	b := newBrowser(t, base)
	b.signIn(t, h.logins["agent"])
	b.run(t, "ask", chromedp.Navigate(base+"/tasks/t2"), chromedp.Click(css(".look button")), chromedp.WaitVisible(css(".waiting")))
	requests, err := h.env.Store.Requests(t.Context(), pending)
	if err != nil || len(requests) != 1 {
		t.Fatalf("got %d requests, %v", len(requests), err)
	}
	if w := h.send(t, "lead", "/requests/"+string(requests[0].ID), url.Values{"answer": {"agree"}}); w.Code != 303 {
		t.Fatalf("agreeing: got %d: %s", w.Code, text(w))
	}
	b.run(t, "see that it was decided", until(`document.querySelector("#waiting-title")?.textContent.includes("agreed")`))
	if said := ask(t, b, chromedp.Text(css("#answer"))); !strings.Contains(said, "You can look now") {
		t.Errorf("the page says %q", said)
	}
	b.run(t, "look", chromedp.Click(css(".look button")), chromedp.WaitVisible(css(".result")))
	b.clean(t)
}

func TestInABrowserTheChartMoves(t *testing.T) {
	h, base := serveHouse(t)
	b := newBrowser(t, base)
	b.signIn(t, h.logins["officer"])
	b.run(t, "see the chart", chromedp.WaitVisible(css("#chart canvas")))
	today := chromedp.Text(css(`[data-figure="today"]`))
	before := ask(t, b, today)
	saveLookup(t, h)
	b.run(t, "see it move", until(fmt.Sprintf(`document.querySelector('[data-figure="today"]').textContent !== %q`, before)))
	if after := ask(t, b, today); before != "19" || after != "20" {
		t.Errorf("look-ups today went from %s to %s", before, after)
	}
	b.clean(t)
}

func TestInABrowserDataLeaveThePageWhenTheGrantEnds(t *testing.T) {
	h, base := serveHouse(t)
	b := newBrowser(t, base)
	b.signIn(t, h.logins["agent"])
	// The house's clock stands in the past, so to the browser the grant has ended.
	b.run(t, "look", chromedp.Navigate(base+"/tasks/t1"), chromedp.Click(css(".look button")), chromedp.WaitVisible(css("#answer .empty")))
	if said := ask(t, b, chromedp.Text(css("#answer"))); !strings.Contains(said, "The grant has ended") || strings.Contains(said, "Kettle") {
		t.Errorf("the page says %q", said)
	}
	b.clean(t)
}

func TestPicturesOfEveryPage(t *testing.T) {
	if *pictures == "" {
		t.Skip("pictures are made with -pictures FOLDER")
	}
	h, base := serveHouse(t, func(c *console.Config) { c.SignInHint = "Demo accounts are printed where the demo was started." })
	b := newBrowser(t, base)
	if w := h.send(t, "agent", "/tasks/t2/lookups", look("identity")); w.Code != 202 {
		t.Fatalf("leave a request: got %d", w.Code)
	}
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"narrow", "light", 390}} {
		scheme := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}}
		b.run(t, "set the look", command(emulation.SetEmulatedMedia, scheme), chromedp.EmulateViewport(look.width, 860))
		b.run(t, "sign-in page", forget, chromedp.Navigate(base+"/sign-in"), b.picture("signin-"+look.name))
		for _, visit := range []struct{ role, path, name string }{
			{"agent", "/tasks", "tasks"}, {"agent", "/tasks/t1", "task"}, {"agent", "/caller", "caller"}, {"agent", "/own", "own"},
			{"agent", "/findings", "forbidden"}, {"agent", "/tasks/t9", "nosuch"},
			{"lead", "/requests", "requests"}, {"lead", "/tasks", "empty"},
			{"officer", "/overview", "overview"}, {"officer", "/findings", "findings"}, {"officer", "/findings/f1", "finding"},
			{"officer", "/samples", "samples"}, {"officer", "/customers?id=c1", "customer"}, {"officer", "/customers", "ask"},
			{"admin", "/system", "system"}, {"admin", "/accounts", "accounts"}, {"agent", "/account", "account"},
			{"customer", "/mine", "mine"}, {"customer", "/account", "heraccount"},
		} {
			steps := []step{b.as(h.sessions[visit.role]), chromedp.Navigate(base + visit.path)}
			if visit.name == "overview" {
				steps = append(steps, chromedp.WaitVisible(css("#chart canvas")), chromedp.Sleep(300*time.Millisecond))
			}
			b.run(t, visit.name, append(steps, b.picture(visit.name+"-"+look.name))...)
		}
		b.run(t, "a look-up", b.as(h.sessions["agent"]), chromedp.Navigate(base+"/tasks/t1"))
		ask(t, b, chromedp.Evaluate[bool]("Date.parse = () => NaN, true")) // keeps the data on the page: the house's clock stands in the past
		b.run(t, "its answer", chromedp.Click(css(`input[value="contact"]`)), chromedp.Click(css(".look button")),
			chromedp.WaitVisible(css(".result")), chromedp.Sleep(700*time.Millisecond), b.picture("look-"+look.name),
			chromedp.Navigate(base+"/tasks/t2"), chromedp.Click(css(".look button")), chromedp.WaitVisible(css(".waiting")),
			chromedp.Sleep(700*time.Millisecond), b.picture("waiting-"+look.name))
	}
	h.system.Ledger = ledger.State{OK: false, Reason: "the disk is full", Since: h.env.Clock.Now()}
	b.run(t, "a broken ledger", chromedp.EmulateViewport(1280, 860), b.as(h.sessions["officer"]),
		chromedp.Navigate(base+"/overview"), chromedp.WaitVisible(css("#chart canvas")), b.picture("broken-light"))
}

// picture writes the whole page as a picture.
func (b *browser) picture(name string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		png, err := chromedp.FullScreenshot(100)(ctx, target)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o600)
	})
}
