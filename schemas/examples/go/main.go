// Prints a domain's commands in force, one JSON line at each change.
//
//	go run . localhost:9092 stopbank.keyring shop [topic]     # brokers, public keys, domain
//
// The rule is that of ../../subscriber.md: in rule.go, and for one instance in instance.go.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "subscriber:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 3 {
		return fmt.Errorf("expected: brokers keyring domain [topic]")
	}
	brokers, path, domain, topic := arguments[0], arguments[1], arguments[2], "stopbank.control"
	if len(arguments) > 3 {
		topic = arguments[3]
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	keys, err := ReadKeyring(string(text))
	if err != nil {
		return err
	}
	// No group: the topic from its start is the state. Only what was committed counts.
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	subscriber, before := &Subscriber{Domain: domain, Keys: keys}, []byte(nil)
	for {
		// Leases end while nothing comes.
		wait, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		client.PollFetches(wait).EachRecord(func(record *kgo.Record) { subscriber.Offer(of(record)) })
		cancel()
		now := time.Now().UnixMilli()
		inForce, err := json.Marshal(subscriber.InForce(now))
		if err != nil {
			return err
		}
		if !bytes.Equal(inForce, before) {
			fmt.Printf("{\"at_ms\":%d,\"in_force\":%s}\n", now, inForce)
			before = inForce
		}
	}
}

func of(record *kgo.Record) *Record {
	headers := map[string]string{}
	for _, header := range record.Headers {
		headers[header.Key] = string(header.Value)
	}
	return &Record{string(record.Key), record.Value, headers, record.Timestamp.UnixMilli()}
}
