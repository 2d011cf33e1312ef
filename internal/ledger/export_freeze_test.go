package ledger

import "context"

// WriteBehindTheEnd writes one record more behind the end of the frozen log in
// dir, with its signing key, as a thief of that key would: into the segment that holds the
// end, or into one of its own.
func WriteBehindTheEnd(dir string, o Options, ownSegment bool) error {
	l, err := Open(dir, o)
	if err != nil {
		return err
	}
	if err := l.self.load(context.Background(), o.secrets(dir)); err != nil {
		return err
	}
	l.next, l.announced = "", map[KeyID]struct{}{}
	b := l.build([]*prepared{l.own(KindStart, "resumed")})
	if ownSegment {
		err = l.begin(begunOpened, b)
	} else if l.file, err = l.disk.open(segmentName(l.number)); err == nil {
		l.room = 1 << 40
		err = l.write(b)
	}
	if err != nil {
		return err
	}
	return l.Close()
}
