package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
)

const golden = "../../golden"

type offer struct {
	Key      string            `json:"key"`
	Value    string            `json:"value"`
	Headers  map[string]string `json:"headers"`
	BrokerMS int64             `json:"broker_ms"`
	Shows    string            `json:"shows"`
	Verdict  string            `json:"verdict"`
	Name     string            `json:"name"`
	Input    string            `json:"signature_input"`
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(golden, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decode(t *testing.T, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(read(t, name), into); err != nil {
		t.Fatal(name, err)
	}
}

func keyring(t *testing.T) Keys {
	t.Helper()
	keys, err := ReadKeyring(string(read(t, "keyring.txt")))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	return keys
}

func TestSignedBytesAreExact(t *testing.T) {
	var index struct {
		Domain  string  `json:"domain"`
		Records []offer `json:"records"`
	}
	decode(t, "index.json", &index)
	keys, seen := keyring(t), 0
	for _, one := range index.Records {
		if one.Input == "" {
			continue
		}
		seen++
		kind, value := strings.Split(one.Headers["ce_type"], ".")[2], read(t, one.Value)
		exact := "stopbank-" + kind + "-v1\n" + one.Key + "\n" + string(value)
		if exact != string(read(t, one.Input)) {
			t.Errorf("%s: other bytes are signed", one.Name)
		}
		record := &Record{one.Key, value, one.Headers, one.BrokerMS}
		if keys.Verify(kind, record) != (kind != "order") {
			t.Errorf("%s: only engines' signatures count", one.Name)
		}
		record.Value = append(append([]byte{}, value...), ' ')
		if keys.Verify(kind, record) {
			t.Errorf("%s: an altered value verifies", one.Name)
		}
	}
	if seen < 8 {
		t.Fatal("the golden records were not found", seen)
	}
}

func TestScenario(t *testing.T) {
	var scenario struct {
		Domain string   `json:"domain"`
		Me     Instance `json:"me"`
		Offers []offer  `json:"offers"`
		After  []struct {
			NowMS   int64     `json:"now_ms"`
			InForce []Command `json:"in_force"`
		} `json:"after"`
	}
	decode(t, "scenario.json", &scenario)
	subscriber := &Subscriber{Domain: scenario.Domain, Keys: keyring(t), Instance: &scenario.Me}
	unsigned := map[string]bool{"unsigned": true, "unknown_key": true, "bad_signature": true, "wrong_role": true}
	for _, step := range scenario.Offers {
		wanted := step.Verdict
		if unsigned[wanted] {
			wanted = "not_signed"
		}
		if got := subscriber.Offer(&Record{step.Key, []byte(step.Value), step.Headers, step.BrokerMS}); got != wanted {
			t.Errorf("%s: %s, not %s", step.Shows, got, wanted)
		}
	}
	ids := func(commands []Command) []string {
		found := []string{}
		for _, command := range commands {
			found = append(found, command.ID)
		}
		sort.Strings(found)
		return found
	}
	for _, after := range scenario.After {
		if got, want := ids(subscriber.InForce(after.NowMS)), ids(after.InForce); !reflect.DeepEqual(got, want) {
			t.Errorf("at %d: %v, not %v", after.NowMS, got, want)
		}
	}
	if len(scenario.Offers) < 20 || len(scenario.After) < 3 {
		t.Fatal("the scenario was not found")
	}
}

func TestShare(t *testing.T) {
	for text, want := range map[string]uint64{"": 41, "a": 64, "cart-7f9c-x2": 46} {
		if got := (&Instance{Instance: text}).Share(); got != want {
			t.Errorf("%q: %d, not %d", text, got, want)
		}
	}
}
