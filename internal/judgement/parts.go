package main

import "strings"

// The parts of a corpus that are counted apart. Source names are those of
// labelled collections; a file with other sources is counted by its labels.
const (
	modernHam = "modern ham"
	olderHam  = "older ham"
	trec      = "trec07p spam"
	listSpam  = "list spam, outside the big providers"
	listBig   = "list spam, big providers"
	foffSpam  = "foff spam"
	olderSpam = "older spam"
	phish     = "phish"
	otherHam  = "ham"
	otherSpam = "spam"
)

var (
	hamParts  = []string{modernHam, olderHam, otherHam}
	spamParts = []string{trec, listSpam, listBig, foffSpam, olderSpam, phish, otherSpam}
)

// big are marks of the big mail providers, for counting only: nothing is judged
// by them.
var big = strings.Fields(`google outlook yahoo amazonses sendgrid hotmail office365 messagingengine protonmail icloud
	apple gmx web.de mailgun sparkpost mcsv mandrill zoho qq.com 163.com 126.com yandex mail.ru aol naver protection`)

func partOf(label, source, ptr, helo string) string {
	list := strings.HasPrefix(source, "list-")
	foff := strings.HasPrefix(source, "foff")
	known := list || foff || source == "trec07p" || source == "csdmc2010" || strings.HasPrefix(source, "sa-")
	switch {
	case label == "ham" && (list || foff):
		return modernHam
	case label == "ham" && known:
		return olderHam
	case label == "ham":
		return otherHam
	case label == "phish":
		return phish
	case label != "spam":
		return ""
	case source == "trec07p":
		return trec
	case foff:
		return foffSpam
	case list && isBig(ptr, helo):
		return listBig
	case list:
		return listSpam
	case known:
		return olderSpam
	}
	return otherSpam
}

func isBig(ptr, helo string) bool {
	for _, mark := range big {
		if strings.Contains(ptr, mark) || strings.Contains(helo, mark) {
			return true
		}
	}
	return false
}

// The periods that evidence has to hold in.
const (
	early  = "to 2018"
	middle = "2019-2021"
	late   = "2022-"
)

func periodOf(date string) string {
	switch {
	case date == "":
		return ""
	case date < "2019":
		return early
	case date < "2022":
		return middle
	}
	return late
}
