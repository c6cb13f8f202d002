package milter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailprofiled/internal/miltertest"
)

// TestDialogues plays every dialogue of testdata against a scripted handler.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			h := new(scripted)
			playFile(t, serve(t, Config{Handler: h}), file)
		})
	}
}

// playFile plays one dialogue, and stops the server.
func playFile(t *testing.T, r *running, file string) {
	t.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	miltertest.Play(t, r.Dial, string(script))
	r.stop()
	if r.err != nil || r.Stats().Open != 0 {
		t.Errorf("Serve gave %v, %d sessions are left", r.err, r.Stats().Open)
	}
}
