package page

import (
	"encoding/json"
	"net/http"
)

// failure answers a program where there is no better answer.
func failure(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // the client has gone: nobody is left to tell
}
