package identity_test

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/identity"
	"paravent/internal/testenv"
)

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// prove is a client of RFC 5802: the proof of one who has the password, for what
// the two sides said to each other.
func prove(t *testing.T, password string, v identity.Verifiers, said string) []byte {
	t.Helper()
	salted, err := pbkdf2.Key(sha256.New, password, v.Salt, v.Iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	proof := mac(stored[:], said)
	for i := range proof {
		proof[i] ^= key[i]
	}
	return proof
}

// checked is a server of RFC 5802: the token whose owner made the proof, "" for
// nobody's.
func checked(v identity.Verifiers, proof []byte, said string) string {
	for _, k := range v.Keys {
		key := mac(k.StoredKey[:], said)
		for i := range key {
			key[i] ^= proof[i]
		}
		if sha256.Sum256(key) == k.StoredKey {
			return k.Token
		}
	}
	return ""
}

const said = "n=,r=abc,r=abcdef,s=...,i=4096,c=biws,r=abcdef"

// The vector of RFC 7677, section 3: the same arithmetic as the verifiers'.
func TestTheClientOfTheseTestsIsThatOfTheRFC(t *testing.T) {
	salt := []byte{0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81}
	k, err := identity.ScramOf("pencil", salt)
	if err != nil {
		t.Fatal(err)
	}
	message := "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
		"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	v := identity.Verifiers{Salt: salt, Iterations: 4096, Keys: []identity.VerifierKey{{Token: "rfc", Scram: k}}}
	if checked(v, prove(t, "pencil", v, message), message) != "rfc" {
		t.Error("the proof isn't taken")
	}
	// 6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=
	want := []byte{0xea, 0xba, 0xe2, 0x4d, 0x10, 0x62, 0xdb, 0x75, 0xa9, 0x45, 0x1f, 0xf0, 0xb6, 0xea, 0x7e, 0x98,
		0xc8, 0x54, 0x65, 0x49, 0xff, 0x74, 0x1e, 0x67, 0x2d, 0x32, 0x51, 0xb2, 0x39, 0x7d, 0xe4, 0x6e}
	if got := mac(k.ServerKey[:], message); !slices.Equal(got, want) {
		t.Errorf("server signature: got %x", got)
	}
}

func TestATokenProvesWithoutBeingSent(t *testing.T) {
	env := testenv.New(t)
	ctx, who := t.Context(), env.Who(t, agent)
	var secrets, ids []string
	for _, name := range []string{"one", "two", "three"} {
		secret, k, err := env.Identity.IssueToken(ctx, who, name, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		secrets, ids = append(secrets, secret), append(ids, k.ID)
	}
	v, err := env.Identity.Verifiers(ctx, " "+who.Login()+" ")
	if err != nil || len(v.Keys) != 3 || v.Iterations < 4096 || len(v.Salt) < 16 {
		t.Fatalf("verifiers: %+v, %v", v, err)
	}
	for i, secret := range secrets {
		id := checked(v, prove(t, secret, v, said), said)
		if id != ids[i] {
			t.Fatalf("token %d proves %q, want %q", i, id, ids[i])
		}
		w, err := env.Identity.Proven(ctx, who.Login(), id)
		if err != nil || !w.Proven() || w.Employee() != who.Employee() || !w.ByToken() || w.Session() != access.SessionID("token:"+id) {
			t.Errorf("got %+v, %v", w, err)
		}
		wantCode(t, "it lasts", env.Identity.Lasts(ctx, w), "")
	}
	if id := checked(v, prove(t, "pvt_guess", v, said), said); id != "" {
		t.Errorf("a guess proves %q", id)
	}
	// Attack: a proof that was overheard, said again in another exchange.
	if id := checked(v, prove(t, secrets[0], v, said), said+"x"); id != "" {
		t.Errorf("a proof of another exchange proves %q", id)
	}
	w, err := env.Identity.Proven(ctx, who.Login(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "revoke", env.Identity.RevokeToken(ctx, who, ids[0]), "")
	wantCode(t, "a session by a revoked token", env.Identity.Lasts(ctx, w), access.Unauthenticated)
	_, err = env.Identity.Proven(ctx, who.Login(), ids[0])
	wantCode(t, "revoked between proof and asking", err, access.Unauthenticated)
	env.Clock.Advance(time.Hour)
	_, err = env.Identity.Proven(ctx, who.Login(), ids[1])
	wantCode(t, "over", err, access.Unauthenticated)
	if v, err := env.Identity.Verifiers(ctx, who.Login()); err != nil || len(v.Keys) != 0 {
		t.Errorf("verifiers of tokens that are over: %d, %v", len(v.Keys), err)
	}
}

// Attack: asking for verifiers to learn which logins exist.
func TestUnknownLoginsAnswerAlikeAndTheSameEachTime(t *testing.T) {
	env := testenv.New(t)
	ctx := t.Context()
	known := env.Account(t, agent) // without a token
	ask := func(login string) identity.Verifiers {
		v, err := env.Identity.Verifiers(ctx, login)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a, b, k := ask("nobody"), ask("nobody either"), ask(known)
	for _, v := range []identity.Verifiers{a, b, k, ask("")} {
		if len(v.Salt) != len(k.Salt) || v.Iterations != k.Iterations || len(v.Keys) != 0 {
			t.Errorf("got %+v, want it like %+v", v, k)
		}
	}
	if slices.Equal(a.Salt, b.Salt) || slices.Equal(a.Salt, k.Salt) {
		t.Error("two logins share a salt")
	}
	again := identity.New(env.Store, env.Clock.Now, identity.Options{Cost: testenv.Cheap}) // after a restart
	if v, err := again.Verifiers(ctx, "NOBODY"); err != nil || !slices.Equal(v.Salt, a.Salt) {
		t.Errorf("after a restart: %x, %v, want %x", v.Salt, err, a.Salt)
	}
	_, err := env.Identity.Proven(ctx, "nobody", "")
	wantCode(t, "no token", err, access.Unauthenticated)
}

// Attack: proving one's own token under somebody else's login.
func TestATokenProvesItsOwnerOnly(t *testing.T) {
	env := testenv.New(t)
	ctx, who := t.Context(), env.Who(t, agent)
	other := env.Account(t, access.Employee{ID: "e2", Role: access.RoleAgent})
	_, k, err := env.Identity.IssueToken(ctx, who, "mine", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = env.Identity.Proven(ctx, other, k.ID)
	wantCode(t, "under another's login", err, access.Unauthenticated)
	wantCode(t, "disable", env.Identity.SetDisabled(ctx, env.Admin(), who.Login(), true, unrecorded), "")
	_, err = env.Identity.Proven(ctx, who.Login(), k.ID)
	wantCode(t, "of a disabled account", err, access.Unauthenticated)
}

// The way out for tokens that are older than verifiers: one use at the API.
func TestAnOldTokenGetsItsVerifierWhenItIsUsed(t *testing.T) {
	env := testenv.New(t)
	ctx, who := t.Context(), env.Who(t, agent)
	const secret = "pvt_as-issued-by-the-version-before"
	k := identity.Token{ID: "old", Hash: sha256.Sum256([]byte(secret)), Login: who.Login(), Name: "old", Since: testenv.Start, Until: testenv.Start.Add(time.Hour)}
	if err := env.Store.AddToken(ctx, k); err != nil {
		t.Fatal(err)
	}
	if v, err := env.Identity.Verifiers(ctx, who.Login()); err != nil || len(v.Keys) != 0 {
		t.Fatalf("an old token: %+v, %v", v, err)
	}
	if _, err := env.Identity.Token(ctx, secret, ""); err != nil {
		t.Fatal(err)
	}
	v, err := env.Identity.Verifiers(ctx, who.Login())
	if err != nil || checked(v, prove(t, secret, v, said), said) != k.ID {
		t.Errorf("after one use: %+v, %v", v, err)
	}
}

func TestOneWhoHasLeftProvesNothingInASessionThatLasts(t *testing.T) {
	env := testenv.New(t)
	ctx, who := t.Context(), env.Who(t, agent)
	_, k, err := env.Identity.IssueToken(ctx, who, "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := env.Identity.Proven(ctx, who.Login(), k.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "nobody", env.Identity.Lasts(ctx, identity.Who{}), access.Unauthenticated)
	wantCode(t, "signed in with a password", env.Identity.Lasts(ctx, who), "")
	left := agent
	left.LeavesOn = testenv.Start.AddDate(0, 0, -3)
	env.Save(t, &access.EmployeeKnown{Employee: left})
	wantCode(t, "left", env.Identity.Lasts(ctx, w), access.Unauthenticated)
}
