package main

import (
	"hash/fnv"
	"slices"
	"sort"
)

// Instance is who obeys.
type Instance struct {
	Service  string `json:"service"`
	Instance string `json:"instance"`
	Version  string `json:"version"`
	Zone     string `json:"zone"`
}

// Share is the instance's place among 100.
func (i *Instance) Share() uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(i.Instance))
	place := hash.Sum64()
	return ((place >> 32) ^ (place & 0xffffffff)) % 100
}

// IsMeantBy says whether a target means this instance.
func (i *Instance) IsMeantBy(t *Target) bool {
	same := func(part *string, mine string) bool { return part == nil || *part == mine }
	obeying := t.Service
	if t.Caller != nil {
		obeying = *t.Caller
	}
	inShare := t.SharePercent == nil || i.Share() < *t.SharePercent
	narrowed := same(t.Version, i.Version) && same(t.Zone, i.Zone) && same(t.Instance, i.Instance)
	return obeying == i.Service && narrowed && inShare
}

var (
	classes = []string{"SHEDDABLE", "SHEDDABLE_PLUS", "CRITICAL", "CRITICAL_PLUS"}
	phases  = []string{"closed", "ramp", "half_open", "open"}
	smaller = map[string]string{
		"queue_bound": "work_ms", "retry_budget": "ratio_permille", "timeout": "timeout_ms", "concurrency": "limit",
		"breaker_threshold": "failure_permille", "purge": "older_than_ms", "restart": "at_once_percent", "route": "share_permille",
	}
)

// strictness is comparable within one knob: the larger restricts more.
func strictness(setting map[string]any) [2]float64 {
	number := func(name string) float64 { value, _ := setting[name].(float64); return value }
	text := func(name string) string { value, _ := setting[name].(string); return value }
	switch knob := text("knob"); knob {
	case "admission":
		return [2]float64{float64(slices.Index(classes, text("lowest"))), -number("fraction_permille")}
	case "breaker":
		return [2]float64{float64(slices.Index(phases, text("phase")))}
	case "kill_switch":
		return [2]float64{number("level")}
	case "replicas":
		return [2]float64{number("count")}
	default:
		return [2]float64{-number(smaller[knob])}
	}
}

// InForce is what is to be obeyed now, sorted by id; for one instance only the strictest for each knob of each scope.
func (s *Subscriber) InForce(nowMS int64) []Command {
	winners := map[string]Command{}
	for key, held := range s.held {
		if !held.IsInForce(nowMS) {
			continue
		}
		command, scope := held.Command, key
		if s.Instance != nil {
			scope = command.scope()
		}
		best, taken := winners[scope]
		mine, other := strictness(command.Setting), strictness(best.Setting)
		if !taken || mine[0] > other[0] || (mine[0] == other[0] && mine[1] > other[1]) {
			winners[scope] = command
		}
	}
	commands := make([]Command, 0, len(winners))
	for _, command := range winners {
		commands = append(commands, command)
	}
	sort.Slice(commands, func(a, b int) bool { return commands[a].ID < commands[b].ID })
	return commands
}

// scope is what a knob is turned of: the service, one operation of it, or an edge from it.
func (c *Command) scope() string {
	wide := Command{Target: Target{Operation: c.Target.Operation, Caller: c.Target.Caller}, Knob: c.Knob}
	if c.Target.Caller != nil {
		wide.Target.Service = c.Target.Service
	}
	return wide.Key("")
}
