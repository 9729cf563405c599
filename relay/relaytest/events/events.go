// Package events makes events as wikis publish them, for measurements.
package events

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Changes returns the messages of n recent changes as a wiki publishes them, with 300 to 1500 bytes each, the same ones every time.
func Changes(n int) []json.RawMessage {
	random := rand.New(rand.NewPCG(7, 692))
	list := make([]json.RawMessage, n)
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for i := range list {
		at = at.Add(time.Duration(random.IntN(40)) * time.Second)
		list[i] = change(random, i, at)
	}
	return list
}

// vocabularies are what titles, names and comments are made of, by language.
var vocabularies = [][]string{
	strings.Fields(`the of and in river harbour lantern quarry meadow copper archive ferry orchard tunnel bridge parish market glacier lighthouse granite
		timber railway canal chapel museum station valley summit foundry garden library village theatre`),
	strings.Fields(`der die und im Übersicht Brücke Straße größer Bahnhof Geschichte Gemeinde Kirche Hafen Leuchtturm Museum Kanal Fluss Gletscher`),
	strings.Fields(`в на и по река мост станция история раздел порт маяк музей канал долина вершина сад библиотека деревня театр`),
	strings.Fields(`车站 河流 历史 桥梁 博物馆 图书馆 灯塔 港口 运河 山谷 花园 村庄 剧院`),
}

func phrase(random *rand.Rand, words []string, n int) string {
	picked := make([]string, n)
	for i := range picked {
		picked[i] = words[random.IntN(len(words))]
	}
	return strings.Join(picked, " ")
}

// comment is what an editor, the wiki's software or a script says about a change.
func comment(random *rand.Rand, words []string, title string) string {
	section, text := phrase(random, words, 2), phrase(random, words, 4+random.IntN(15))
	other := fmt.Sprintf("%s %d", phrase(random, words, 2), random.IntN(999))
	switch random.IntN(6) {
	case 0:
		return "Undid revision " + fmt.Sprint(119_000_000+random.IntN(1_000_000)) + " by [[Special:Contributions/" + other + "|" + other +
			"]] ([[User talk:" + other + "|talk]]): " + text
	case 1:
		return "[[:" + title + "]] added to category, [[Special:WhatLinksHere/" + title + "|this page is included within other pages]]"
	case 2:
		return "Created page with \"'''" + title + "''' " + text + " {{reflist}} [[Category:" + section + "]]\""
	case 3:
		list := "Script: links repaired"
		for range 2 + random.IntN(24) {
			list += ", [[" + phrase(random, words, 2) + "]] to [[" + phrase(random, words, 2) + "]]"
		}
		return list
	}
	return "/* " + section + " */ " + text
}

func change(random *rand.Rand, i int, at time.Time) json.RawMessage {
	words := vocabularies[max(0, random.IntN(8)-4)] // more than half in the first
	event := struct {
		Type      string `json:"type"`
		ID        int    `json:"id"`
		Title     string `json:"title"`
		Namespace int    `json:"namespace"`
		Page      int    `json:"page"`
		User      string `json:"user"`
		Bot       bool   `json:"bot"`
		Minor     bool   `json:"minor"`
		Comment   string `json:"comment"`
		Time      string `json:"time"`
		Rev       int    `json:"rev,omitempty"`
		Parent    int    `json:"parent,omitempty"`
		OldLength int    `json:"oldLength"`
		NewLength int    `json:"newLength"`
		LogType   string `json:"logType,omitempty"`
		LogAction string `json:"logAction,omitempty"`
	}{
		Type: []string{"edit", "edit", "edit", "new", "categorize"}[random.IntN(5)], ID: 88_400_000 + i,
		Namespace: []int{0, 0, 0, 1, 4, 14}[random.IntN(6)],
		Title:     strings.ReplaceAll(phrase(random, words, 1+random.IntN(4)), " ", "_"), Page: 1 + random.IntN(4_000_000),
		User: fmt.Sprintf("%s %d", phrase(random, words, 2), random.IntN(9999)),
		Bot:  random.IntN(8) == 0, Minor: random.IntN(4) == 0, Time: at.Format(time.RFC3339),
		Rev: 120_000_000 + 3*i + random.IntN(3), Parent: 119_000_000 + random.IntN(1_000_000),
		OldLength: random.IntN(60_000), NewLength: random.IntN(60_000),
	}
	if i%9 == 0 {
		event.Type, event.LogType, event.LogAction, event.Rev, event.Parent = "log", "move", "move_redir", 0, 0
	}
	event.Comment = comment(random, words, event.Title)
	text, err := json.Marshal(&event)
	if err != nil {
		panic(err)
	}
	return text
}
