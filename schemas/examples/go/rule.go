package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Command is the part of a command that a subscriber needs; whatever else it holds is ignored.
type Command struct {
	ID       string         `json:"id"`
	Epoch    uint64         `json:"epoch"`
	Sequence uint64         `json:"sequence"`
	IssuedMS int64          `json:"issued_ms"`
	TTLMS    int64          `json:"ttl_ms"`
	Target   Target         `json:"target"`
	Knob     string         `json:"knob"`
	Setting  map[string]any `json:"setting,omitempty"`
	Released bool           `json:"released,omitempty"`
	Mode     string         `json:"mode"`
	Reason   map[string]any `json:"reason,omitempty"`
}

// Target says whom a command means. An unknown part of it is an error: ignoring it would widen the command.
type Target struct {
	Service      string  `json:"service"`
	Operation    *string `json:"operation,omitempty"`
	Caller       *string `json:"caller,omitempty"`
	Version      *string `json:"version,omitempty"`
	Zone         *string `json:"zone,omitempty"`
	Instance     *string `json:"instance,omitempty"`
	SharePercent *uint64 `json:"share_percent,omitempty"`
}

// UnmarshalJSON refuses what it does not know.
func (t *Target) UnmarshalJSON(text []byte) error {
	type plain Target
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	return decoder.Decode((*plain)(t))
}

var control = regexp.MustCompile(`[\x00-\x1f\x7f-\x{9f}]`)

// Key is the record key that belongs to the target and the knob.
func (c *Command) Key(domain string) string {
	text, t := "", &c.Target
	if t.Caller != nil {
		text = *t.Caller + "->"
	}
	text += t.Service
	if t.Operation != nil {
		text += ":" + *t.Operation
	}
	if t.Version != nil {
		text += "@version=" + *t.Version
	}
	if t.Zone != nil {
		text += "@zone=" + *t.Zone
	}
	if t.Instance != nil {
		text += "@instance=" + *t.Instance
	}
	if t.SharePercent != nil {
		text += fmt.Sprintf("@share=%d", *t.SharePercent)
	}
	return control.ReplaceAllString(domain+"/"+text+"/"+c.Knob, "\ufffd")
}

// Keys are engines' public keys by id.
type Keys map[string]ed25519.PublicKey

// ReadKeyring reads lines `key HEX role=engine`; one with limits (targets, times) is an error.
func ReadKeyring(text string) (Keys, error) {
	keys := Keys{}
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(strings.SplitN(line, "#", 2)[0])
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 || words[0] != "key" || !strings.HasPrefix(words[2], "role=") {
			return nil, fmt.Errorf("keyring: not understood: %q", line)
		}
		public, err := hex.DecodeString(words[1])
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("keyring: no public key: %q", words[1])
		}
		for _, role := range strings.Split(strings.TrimPrefix(words[2], "role="), ",") {
			if role == "engine" {
				keys[words[1][:16]] = public
			}
		}
	}
	return keys, nil
}

// Record is a record of a topic.
type Record struct {
	Key      string
	Value    []byte
	Headers  map[string]string
	BrokerMS int64
}

// Verify says whether one of the keys signed the record as this kind: over the exact bytes. Other headers are not signed.
func (k Keys) Verify(kind string, record *Record) bool {
	public, known := k[record.Headers["ce_keyid"]]
	signature, err := base64.StdEncoding.Strict().DecodeString(record.Headers["ce_signature"])
	if !known || err != nil {
		return false
	}
	input := append([]byte("stopbank-"+kind+"-v1\n"+record.Key+"\n"), record.Value...)
	return ed25519.Verify(public, input, signature)
}

// Held is the highest command of a key.
type Held struct {
	Command Command
	EndsMS  int64
}

// IsInForce says whether it is to be obeyed now. Ratchets stay where they are.
func (h *Held) IsInForce(nowMS int64) bool {
	ratchet := h.Command.Knob == "replicas"
	return !h.Command.Released && (nowMS < h.EndsMS || ratchet)
}

const (
	valueBytesMax = 256 * 1024
	ttlMaxMS      = 86_400_000
	lateMaxMS     = 60_000
)

// Subscriber follows one domain. With an instance it takes only what means that; without, everything.
type Subscriber struct {
	Domain   string
	Keys     Keys
	Instance *Instance
	held     map[string]*Held
}

// Offer takes a record of the control topic, and says `accepted` or why it was dropped.
func (s *Subscriber) Offer(record *Record) string {
	if len(record.Value) == 0 {
		return "tombstone" // it cleans up, and ends nothing
	}
	if !strings.HasPrefix(record.Key, s.Domain+"/") {
		return "wrong_domain"
	}
	var command Command
	if len(record.Value) > valueBytesMax || json.Unmarshal(record.Value, &command) != nil || !command.isWhole() {
		return "malformed"
	}
	if record.Key != command.Key(s.Domain) {
		return "key_mismatch"
	}
	if command.Mode != "act" {
		return "not_to_obey"
	}
	if s.Instance != nil && !s.Instance.IsMeantBy(&command.Target) {
		return "not_for_me"
	}
	if before := s.held[record.Key]; before != nil && !command.isAfter(&before.Command) {
		return "older"
	}
	if !s.Keys.Verify("command", record) {
		return "not_signed"
	}
	if record.BrokerMS > command.IssuedMS+lateMaxMS {
		return "late"
	}
	if s.held == nil {
		s.held = map[string]*Held{}
	}
	s.held[record.Key] = &Held{command, record.BrokerMS + min(command.TTLMS, ttlMaxMS)}
	return "accepted"
}

func (c *Command) isWhole() bool {
	if c.Released {
		return c.Setting == nil && c.Target.Service != ""
	}
	return c.Setting != nil && c.Setting["knob"] == c.Knob && c.Target.Service != ""
}

func (c *Command) isAfter(other *Command) bool {
	return c.Epoch > other.Epoch || (c.Epoch == other.Epoch && c.Sequence > other.Sequence)
}
