package config

// keysLater are the keys that the manual promises and this version refuses.
// They stand here with their kinds so that other mistakes beside them are found.
func keysLater() []Key {
	rows := []Key{} // all that is promised is there
	for i := range rows {
		rows[i].Later = true
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
