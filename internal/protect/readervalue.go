package protect

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"paravent/internal/policy"
	"paravent/internal/source"
)

// row makes one row of what PostgreSQL sent, as SQLite would hold it, and
// returns its size.
func (r *Source) row(fields []pgconn.FieldDescription, raw [][]byte, masks []policy.Mask) (row []any, size int64, err error) {
	row = make([]any, len(raw))
	for i, text := range raw {
		switch {
		case masks[i] == policy.MaskRedacted:
			row[i] = source.Redacted
		case text == nil:
		default:
			if row[i], err = value(fields[i].DataTypeOID, string(text)); err != nil {
				return nil, 0, err
			}
		}
		if masks[i] == policy.MaskYear && row[i] != nil && isTime(fields[i].DataTypeOID) {
			row[i], _, _ = strings.Cut(fmt.Sprint(row[i]), "-")
		}
		size += source.Width(row[i])
	}
	return row, size, nil
}

func isTime(oid uint32) bool {
	return oid == pgtype.DateOID || oid == pgtype.TimestampOID || oid == pgtype.TimestamptzOID
}

// value reads a value in PostgreSQL's text form: whole numbers, numbers, bytes,
// times as RFC 3339 in UTC, and everything else as it is written.
func value(oid uint32, text string) (v any, err error) {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		v, err = strconv.ParseInt(text, 10, 64)
	case pgtype.Float4OID, pgtype.Float8OID:
		v, err = strconv.ParseFloat(text, 64)
	case pgtype.ByteaOID:
		v, err = hex.DecodeString(strings.TrimPrefix(text, `\x`))
	case pgtype.TimestamptzOID:
		if t, wrong := time.Parse("2006-01-02 15:04:05.999999999-07", text); wrong == nil {
			return t.UTC().Format(time.RFC3339Nano), nil
		}
		return text, nil // infinity, or before the common era
	case pgtype.TimestampOID:
		if t, wrong := time.Parse("2006-01-02 15:04:05.999999999", text); wrong == nil {
			return t.Format(time.RFC3339Nano), nil
		}
		return text, nil
	default:
		v = text
	}
	if err != nil {
		return nil, errors.New("a value can't be read") // without quoting it
	}
	return v, nil
}
