package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
)

//go:embed templates
var templateFiles embed.FS

// pages are the parsed templates, by file name without its ending; each holds
// the layout and the parts that several pages share.
type pages map[string]*template.Template

func loadPages(a assets) (pages, error) {
	funcs := template.FuncMap{
		"asset":  a.address,
		"words":  func(s any) string { return words(fmt.Sprint(s)) },
		"lower":  strings.ToLower,
		"count":  countAny,
		"plural": plural,
		"path":   url.PathEscape,
	}
	shared, err := template.New("layout").Funcs(funcs).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	out := pages{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		page, err := shared.Clone()
		if err != nil {
			return nil, fmt.Errorf("clone layout: %w", err)
		}
		if out[name], err = page.ParseFS(templateFiles, file); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
	}
	return out, nil
}

// visit is one request on its way to an answer.
type visit struct {
	c        *console
	w        http.ResponseWriter
	r        *http.Request
	id       string // of the request, as told to the reader and in the log
	now      time.Time
	in       identity.SignedIn // meaningful only where known
	known    bool              // somebody is signed in
	answered bool
}

// frame is what the layout shows around a page.
type frame struct {
	Title   string
	Company string
	Known   bool
	Who     string
	Role    string
	Links   []link
	// AtAccount says that this is the page behind the visitor's name.
	AtAccount bool
	CSRF      string
	Version   string
	Zone      string
	Warning   string // the system's state, where it keeps people from working
	Data      any
}

// show answers with a page, or with the page's part called answer when htmx
// asked for that part alone. Nothing is written before all of it is rendered.
func (v *visit) show(status int, name, title string, data any) error {
	page, ok := v.c.pages[name]
	if !ok {
		return fmt.Errorf("no page is named %q", name)
	}
	block := "layout.html"
	if v.partial() && page.Lookup("answer") != nil {
		block = "answer"
	}
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, block, v.frame(title, data)); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	v.send(status, "text/html; charset=utf-8", body.Bytes())
	return nil
}

// frame gathers what the layout shows.
func (v *visit) frame(title string, data any) frame {
	f := frame{Title: title, Company: v.c.Company, Data: data, Zone: v.now.In(v.c.Zone).Format("MST")}
	system := v.c.System()
	f.Version = system.Version
	if !system.Ledger.OK {
		f.Warning = "Look-ups can't be recorded at the moment, so none is possible. Your administrator sees why; it resumes by itself."
	}
	if !v.known {
		return f
	}
	f.Known, f.CSRF = true, v.in.CSRF
	if v.in.Who.Proven() {
		e := v.in.Who.Employee()
		f.Who, f.Role = e.Name, roleTitle(e.Role)
		if f.Who == "" {
			f.Who = string(e.ID)
		}
	} else {
		f.Who, f.Role = v.in.Login, accountTitle(v.in.Kind)
		if id := v.in.Customer.ID(); id != "" {
			f.Who = string(id)
		}
	}
	f.AtAccount = v.r.URL.Path == "/account"
	f.Links = links(v.in)
	for i := range f.Links {
		href := f.Links[i].Href
		f.Links[i].Here = v.r.URL.Path == href || strings.HasPrefix(v.r.URL.Path, href+"/")
	}
	return f
}

// partial reports whether htmx asked for the answer's part of the page alone.
func (v *visit) partial() bool { return v.r.Header.Get("HX-Target") == "answer" }

// send writes a whole answer.
func (v *visit) send(status int, contentType string, body []byte) {
	v.answered = true
	v.w.Header().Set("Content-Type", contentType)
	v.w.WriteHeader(status)
	if v.r.Method == http.MethodHead {
		return
	}
	if _, err := v.w.Write(body); err != nil {
		v.c.Log.DebugContext(v.r.Context(), "answer not taken", "request_id", v.id, "error", err)
	}
}

// redirect sends the browser to another page of the console; htmx is told in a
// header, as it would otherwise put that page where a part belongs.
func (v *visit) redirect(target string) {
	v.answered = true
	if v.r.Header.Get("HX-Request") != "" {
		v.w.Header().Set("HX-Redirect", target)
		v.w.WriteHeader(http.StatusOK)
		return
	}
	http.Redirect(v.w, v.r, target, http.StatusSeeOther)
}

// form returns a field of the form, without surrounding spaces.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// parseForm reads the form; what is too large or broken is the sender's mistake.
func (v *visit) parseForm() error {
	if err := v.r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return access.Errorf(access.Invalid, "The form is too large.").WithHint("Shorten what you wrote.")
		}
		return access.Errorf(access.Invalid, "The form can't be read.").
			WithHint("Load the page again and repeat what you did.").Because(err)
	}
	return nil
}
