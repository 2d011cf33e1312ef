package pggate

import (
	"strings"
)

// verb fills in what a statement's first words say.
func (a *analyser) verb(s *stmt) {
	s.writes = a.writes
	first := ""
	if a.head[0].kind == tokWord {
		first = a.word(a.head[0])
	}
	switch first {
	case "show":
		if a.heads == 4 && a.is(a.head[1], "paravent") && a.is(a.head[3], "grant") {
			s.quote = a.head[3].from
		}
	case "select", "table", "values", "explain", "with", "begin", "start", "rollback", "abort",
		"savepoint", "release", "fetch", "move", "close":
	case "declare":
		s.prepares = a.named(1)
	case "set":
		a.set(s)
	case "reset":
		a.reset(s)
	case "discard":
		s.settings, s.forgets = true, "*"
		switch {
		case a.is(a.head[1], "all"):
			s.special = resetAll
		case a.is(a.head[1], "sequences"): // a sequence keeps what the session is bound as
			s.refusal = refuseCommand("DISCARD SEQUENCES")
		}
	case "prepare":
		s.prepares, s.settings = a.named(1), true
		if a.is(a.head[1], "transaction") {
			s.refusal = refuseCommand("PREPARE TRANSACTION")
		}
	case "deallocate":
		s.forgets = a.forgotten()
	case "copy":
		a.copy(s)
	default:
		s.writes = true
		if s.refusal == nil {
			s.refusal = a.forbidden(first)
		}
	}
}

// named returns the name that stands at that place of the head, without quotes.
func (a *analyser) named(at int) string {
	if p := a.head[at]; p.kind == tokWord || p.kind == tokQuoted {
		return string(plain(a.out[p.a:p.b]))
	}
	return ""
}

func (a *analyser) forgotten() string {
	at := 1
	if a.is(a.head[1], "prepare") {
		at = 2
	}
	if a.is(a.head[at], "all") {
		return "*"
	}
	return a.named(at)
}

// refuseCommand is the refusal of a command that employees don't have.
func refuseCommand(command string) *failure {
	return &failure{code: stateNotSupported, reason: "command", message: command + " is not available through Paravent",
		hint: "Ask the people who run the database."}
}

// forbidden returns the refusal of a command by its first words; nil where it
// is PostgreSQL's own business.
func (a *analyser) forbidden(first string) *failure {
	switch first {
	case "listen", "notify", "load":
		return refuseCommand(strings.ToUpper(first))
	case "alter", "create", "drop":
		switch second := a.head[1]; {
		case a.is(second, "role"), a.is(second, "user"), a.is(second, "group"), a.is(second, "system"), a.is(second, "database"):
			return refuseCommand(strings.ToUpper(first + " " + a.word(second)))
		}
	case "security":
		return refuseCommand("SECURITY LABEL")
	}
	return nil
}

func (a *analyser) copy(s *stmt) {
	target := a.copies.target
	switch {
	case a.is(target, "program") || target.kind == tokLiteral:
		s.refusal = refuseCommand("COPY with a file or a program")
	case a.copies.to != 'f':
	case !a.rules.copyIn:
		s.refusal = refuseCommand("COPY FROM")
	default:
		s.writes, s.copyIn = true, true
	}
}

// setting reads "[SESSION | LOCAL] name" of SET and RESET from that place of
// the head, and returns the place behind.
func (a *analyser) setting(at int) (name string, local bool, next int) {
	if a.is(a.head[at], "session") && !a.is(a.head[at+1], "authorization") && !a.is(a.head[at+1], "characteristics") {
		at++
	} else if a.is(a.head[at], "local") {
		local = true
		at++
	}
	name = strings.ToLower(a.named(at))
	at++
	if at+1 < a.heads && a.head[at].kind == tokSign && a.lex.src[a.head[at].from] == '.' {
		name += "." + strings.ToLower(a.named(at+1))
		at += 2
	}
	return name, local, at
}

func (a *analyser) set(s *stmt) {
	s.settings = true
	name, local, at := a.setting(1)
	if name == "session" && a.is(a.head[at], "authorization") {
		name = "session_authorization"
	}
	if own, ok := strings.CutPrefix(name, "paravent."); ok {
		a.setOwn(s, own, local, at)
		return
	}
	s.refusal = refuseSetting(name, func() string {
		if name == "names" {
			return a.literal(at)
		}
		return a.value(at)
	})
}

// setOwn reads SET paravent.task and SET paravent.on_behalf_of.
func (a *analyser) setOwn(s *stmt, own string, local bool, at int) {
	switch {
	case own != "task" && own != "on_behalf_of":
		s.refusal = refuseSetting("paravent."+own, nil)
		return
	case local:
		s.refusal = &failure{code: stateInvalid, reason: "setting", message: "paravent." + own + " can't be set for one transaction",
			hint: "Use SET without LOCAL, outside a transaction."}
		return
	}
	value := a.value(at)
	if value == "" && at+1 < a.heads && (a.is(a.head[at+1], "default") || a.head[at+1].to == a.head[at+1].from+2) {
		s.special = map[string]special{"task": resetTask, "on_behalf_of": resetBehalf}[own]
		return
	}
	if value == "" || a.heads > at+2 {
		s.refusal = &failure{code: stateInvalid, reason: "setting", message: "the value of paravent." + own + " can't be read",
			hint: "Write it as SET paravent." + own + " = '…'."}
		return
	}
	s.special, s.value = map[string]special{"task": setTask, "on_behalf_of": setBehalf}[own], value
}

// value returns the plain string or word behind "=" or TO at that place of the
// head; "" where it is something else.
func (a *analyser) value(at int) string {
	if at+1 >= a.heads {
		return ""
	}
	if to := a.head[at]; !a.is(to, "to") && (to.kind != tokSign || a.lex.src[to.from] != '=') {
		return ""
	}
	return a.literal(at + 1)
}

// literal returns the plain string or word at that place of the head; "" where
// there is none.
func (a *analyser) literal(at int) string {
	src := string(a.lex.src[a.head[at].from:a.head[at].to])
	switch a.head[at].kind {
	case tokWord:
		if strings.EqualFold(src, "default") {
			return ""
		}
		return src
	case tokLiteral:
		if len(src) < 2 || src[0] != '\'' || src[len(src)-1] != '\'' || strings.ContainsAny(src, "\\\n\r") {
			return ""
		}
		return strings.ReplaceAll(src[1:len(src)-1], "''", "'")
	}
	return ""
}

func (a *analyser) reset(s *stmt) {
	s.settings = true
	switch name, _, _ := a.setting(1); name {
	case "all":
		s.special = resetAll
	case "paravent.task":
		s.special = resetTask
	case "paravent.on_behalf_of":
		s.special = resetBehalf
	default:
		if strings.HasPrefix(name, "paravent.") {
			s.refusal = refuseSetting(name, nil)
		}
	}
}

// ambiguous are the client encodings in which a byte of a longer character can
// look like a backslash: texts in them can't be taken apart without knowing
// them all.
var ambiguous = []string{"sjis", "shiftjis", "mskanji", "win932", "windows932", "shift_jis_2004", "shiftjis2004", "big5", "win950", "windows950",
	"gbk", "win936", "windows936", "uhc", "win949", "windows949", "gb18030", "johab"}

// refuseSetting returns why a client may not change a setting; nil where it
// may. value is asked for where it matters.
func refuseSetting(name string, value func() string) *failure {
	switch name {
	case "role", "session_authorization":
		return refuseCommand("SET " + strings.ToUpper(strings.ReplaceAll(name, "_", " ")))
	case "standard_conforming_strings":
		if strings.EqualFold(value(), "on") {
			return nil
		}
	case "client_encoding", "names":
		plain := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(value()))
		for _, e := range ambiguous {
			if plain == strings.ReplaceAll(e, "_", "") {
				return &failure{code: stateNotSupported, reason: "setting", message: "this client_encoding is not available through Paravent",
					hint: "Use UTF8."}
			}
		}
		return nil
	default:
		if !strings.HasPrefix(name, "paravent.") {
			return nil
		}
	}
	return &failure{code: stateDenied, reason: "setting", message: "this setting can't be changed through Paravent",
		hint: "Only paravent.task and paravent.on_behalf_of are yours to set."}
}
