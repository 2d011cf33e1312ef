package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
)

// scrubPages is how many pages are cleaned in one transaction.
const scrubPages = 256

const selectPages = `SELECT pgno, data FROM sqlite_dbpage`
const selectPage = `SELECT data FROM sqlite_dbpage WHERE pgno = ?`
const updatePage = `UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?`

// scrub zeroes what secure_delete leaves: when SQLite lays the rows of a page out
// anew (rebuildPage in its btree.c), bytes of their old places stay between the
// page's directory and its content, and outlive the rows themselves. The pages
// are read and written through SQLite's own pager, by the table sqlite_dbpage:
// nobody else may open the file, because closing it again would end SQLite's
// locks on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
func (d *database) scrub(ctx context.Context) error {
	var dirty []int64
	var page sql.RawBytes
	rows, err := d.read.QueryContext(ctx, selectPages)
	err = eachRow(rows, err, func(r scanner) error {
		var number int64
		if err := r.Scan(&number, &page); err != nil {
			return err
		}
		if number >= maxScrubbed {
			return fmt.Errorf("page %d is beyond what can be cleaned", number)
		}
		if from, to := gap(page, number == 1); !zero(page[from:to]) {
			dirty = append(dirty, number)
		}
		return nil
	})
	for len(dirty) > 0 && err == nil {
		some := dirty[:min(len(dirty), scrubPages)]
		dirty = dirty[len(some):]
		err = d.change(ctx, synced, func(t *tx) error { return t.clean(ctx, some) })
	}
	if err != nil {
		return fmt.Errorf("clean pages: %w", err)
	}
	return nil
}

// clean zeroes the gaps of pages as they are now.
func (t *tx) clean(ctx context.Context, pages []int64) error {
	for _, number := range pages {
		var page []byte
		err := t.row(ctx, selectPage, number).Scan(&page)
		if none(err) {
			continue // the file has become shorter
		}
		if err != nil {
			return err
		}
		from, to := gap(page, number == 1)
		clear(page[from:to])
		if _, err := t.exec(ctx, updatePage, page, number); err != nil {
			return err
		}
	}
	return nil
}

// maxScrubbed bounds the number of pages: below it the first byte of an overflow
// page or of a free one, which is the highest of a page number, is never that of
// a page of a tree.
const maxScrubbed = 0x0200_0000

// gap returns where in a page of a tree the bytes lie that belong to nothing:
// between the directory of its cells and their content. Of any other page it
// returns nothing. The layout is that of https://www.sqlite.org/fileformat2.html#b_tree_pages.
func gap(page []byte, first bool) (from, to int) {
	head := 0
	if first {
		head = 100 // of the file
	}
	if len(page) < head+12 {
		return 0, 0
	}
	size := 8
	switch page[head] {
	case 2, 5: // inner pages have one more pointer
		size = 12
	case 10, 13:
	default:
		return 0, 0
	}
	from = head + size + 2*int(binary.BigEndian.Uint16(page[head+3:]))
	if to = int(binary.BigEndian.Uint16(page[head+5:])); to == 0 {
		to = 65536
	}
	if from > to || to > len(page) {
		return 0, 0
	}
	return from, to
}

// zero reports whether all of b, a part of one page, is zero.
func zero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }

var zeros [65536]byte // never written to
