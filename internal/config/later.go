package config

import (
	"slices"
)

// keysLater are the keys that the manual promises and this version refuses.
// They stand here with their kinds so that other mistakes beside them are found.
func keysLater() []Key {
	rows := []Key{{Name: "candidate", Kind: anyText(), Default: ""}}
	rows = append(rows, directoryRows("directory.")...)
	rows = append(rows, directoryRows("directory.for[].")...)
	rows = append(rows, Key{Name: "state.redis", Kind: secretKind(), Default: ""})
	for i := range rows {
		rows[i].Later = true
	}
	return rows
}

// directoryRows stand in [directory] and in each [[directory.for]]. URLs there
// hold passwords.
func directoryRows(prefix string) []Key {
	var rows []Key
	for _, name := range []string{"sql", "ldap"} {
		rows = append(rows, Key{Name: prefix + name, Kind: secretKind(), Default: ""})
	}
	for _, name := range []string{"query", "filter", "socketmap", "callahead"} {
		rows = append(rows, Key{Name: prefix + name, Kind: anyText(), Default: ""})
	}
	return rows
}

func plainChoice(texts ...string) Kind {
	words := make([]word, len(texts))
	for i, text := range texts {
		words[i] = word{text: text, value: text}
	}
	return choiceKind(words...)
}

// findingsPromised are the ids of the manual that are not judged yet.
var findingsPromised = []string{
	"account-hijack",
}

func promisedFinding(id string) bool { return slices.Contains(findingsPromised, id) }
