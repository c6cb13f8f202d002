package page

// Routes gives the paths of the API, for a comparison with the documents.
func Routes() []string {
	var all []string
	for _, r := range new(Page).routes() {
		all = append(all, r.path)
	}
	return all
}
