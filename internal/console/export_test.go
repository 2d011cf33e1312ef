package console

// The embedded files, for the tests that read them.
var (
	AssetFiles    = assetFiles
	TemplateFiles = templateFiles
)

// LocalPath is the check of the way back after signing in.
func LocalPath(target string) string { return localPath(target) }

// Posts returns the patterns of the routes that change something.
func Posts() []string {
	var out []string
	for _, rt := range (&console{}).routes() {
		if len(rt.pattern) > 5 && rt.pattern[:5] == "POST " {
			out = append(out, rt.pattern[5:])
		}
	}
	return out
}

// Gets returns the patterns of the routes that only show.
func Gets() []string {
	var out []string
	for _, rt := range (&console{}).routes() {
		if rt.pattern[:4] == "GET " {
			out = append(out, rt.pattern[4:])
		}
	}
	return out
}
