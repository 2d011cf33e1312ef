package identity

// ScramOf computes a verifier.
func ScramOf(secret string, salt []byte) (Scram, error) { return scramOf(secret, salt) }
