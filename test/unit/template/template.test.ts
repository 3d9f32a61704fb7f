import { describe, expect, test } from "bun:test";
import { Template } from "#template";

const VALUE = {
  Id: "0123",
  Name: "/web",
  State: { Status: "running", Pid: 42, Running: true, ExitCode: 0 },
  List: ["a", "b", "c"],
  Empty: [],
  Nothing: null,
  Labels: { tier: "web", "com.example/x": "y" },
  Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8020" }], "443/tcp": null },
  Size: 1234567,
  Ratio: 0.5,
};

describe("a template", () => {
  test.each([
    ["plain text", "plain text"],
    ["{{.Name}}", "/web"],
    ["{{.ID}} {{.Id}}", "0123 0123"],
    ["{{.State.Status}}:{{.State.Pid}}", "running:42"],
    ["{{.State}}", "{running 42 true 0}"],
    ["{{.List}}", "[a b c]"],
    ["{{.Nothing}}", "<nil>"],
    ["{{.Size}} {{.Ratio}} {{.State.Running}}", "1234567 0.5 true"],
    ["{{json .State}}", '{"Status":"running","Pid":42,"Running":true,"ExitCode":0}'],
    ["{{.List | json}}", '["a","b","c"]'],
    ['{{join .List ","}}', "a,b,c"],
    ["{{range $i, $e := .List}}{{if $i}}, {{end}}{{$i}}={{$e}}{{end}}", "0=a, 1=b, 2=c"],
    ["{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "com.example/x=y;tier=web;"],
    ["{{range .Empty}}x{{else}}none{{end}}", "none"],
    ["{{range .Nothing}}x{{end}}", ""],
    ['{{range .List}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"],
    ['{{range .List}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"],
    ["{{range 3}}{{.}}{{end}}", "012"],
    ['{{(index (index .Ports "80/tcp") 0).HostPort}}', "8020"],
    ['{{index .Labels "com.example/x"}}', "y"],
    ['{{index .Labels "absent"}}', ""],
    ["{{with .Nothing}}x{{else}}nil{{end}}", "nil"],
    ["{{with .State}}{{.Pid}} {{$.Name}}{{end}}", "42 /web"],
    ["{{if .Empty}}a{{else if .List}}b{{else}}c{{end}}", "b"],
    ["{{if and .List (not .Empty)}}y{{end}}{{if or .Empty .Nothing}}n{{end}}", "y"],
    ["{{if and .Nothing .Nothing.X}}x{{else}}short{{end}}", "short"],
    ['{{if eq .State.Status "dead" "running"}}one of{{end}}', "one of"],
    ['{{if ne .Name "x"}}{{if lt 1 2}}{{if ge 2 2}}ok{{end}}{{end}}{{end}}', "ok"],
    ['{{$x := .Name}}{{if true}}{{$x = "y"}}{{end}}{{$x}}', "y"],
    ["{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"],
    ["{{len .List}} {{len .Name}} {{len .Nothing}}", "3 4 0"],
    ["{{slice .Name 1}} {{slice .List 1 2}}", "web [b]"],
    ['{{upper .Name}} {{title "two words"}} {{lower "AB"}}', "/WEB Two Words ab"],
    ['{{truncate .Name 2}}|{{pad .Name 1 2}}|{{pad "" 1 2}}', "/w| /web  |"],
    ['{{split "a b" " "}}', "[a b]"],
    [
      '{{printf "%s %d %5.1f|%-5s|%05d|%x|%q|%v|%t|%T" "a" 3 1.25 "b" 42 255 "c" .List true 1}}',
      'a 3   1.3|b    |00042|ff|"c"|[a b c]|true|int',
    ],
    ['{{printf "%d" "x"}} {{printf "%s"}} {{printf "a" 1}}', "%!d(string=x) %!s(MISSING) a%!(EXTRA int=1)"],
    ['{{.Name | printf "%s-%s" "a" | upper}}', "A-/WEB"],
    ['{{print 1 2 "a" "b"}}|{{println 1 "a"}}', "1 2ab|1 a\n"],
    ["a  {{- .Id -}}  b", "a0123b"],
    ["a{{/* nothing */}}b {{- /* x */ -}} c", "abc"],
    ['{{"a\\tb\\x41\\u00e9"}}{{`raw\\n`}}', "a\tbAéraw\\n"],
    ["{{'a'}} {{0x1f}} {{-5}} {{1e3}}", "97 31 -5 1000"],
    ['{{define "x"}}<{{.}}>{{end}}{{template "x" .Id}}{{block "y" .Name}}[{{.}}]{{end}}', "<0123>[/web]"],
    ["{{ (.State).Pid }}", "42"],
    ['{{html "<a>"}} {{urlquery "a b&"}}', "&lt;a&gt; a+b%26"],
  ])("%p is %p", (source, text) => {
    expect(new Template(source).render(VALUE)).toBe(text);
  });

  test.each([
    ["{{.Foo}}", 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'],
    ["{{.State.Foo}}", 'template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"'],
    ["{{.foo}}", 'template: :1:2: executing "" at <.foo>: map has no entry for key "foo"'],
    ["{{.Nothing.X}}", 'template: :1:10: executing "" at <.Nothing.X>: nil data; no entry for key "X"'],
    ["{{.Name.X}}", "can't evaluate field X in type string"],
    ["{{index .List 9}}", "error calling index: index out of range: 9"],
    ['{{eq 1 "a"}}', "error calling eq: incompatible types for comparison"],
    ["{{.Name 1}}", "Name is not a method but has arguments"],
    ["{{range .Name}}{{end}}", "range can't iterate over /web"],
    ['{{template "x"}}', 'template "x" not defined'],
    ['{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', "exceeded maximum template depth"],
    ["\n{{$x}}", "template: :2:2"],
  ])("%p fails: %s", (source, message) => {
    expect(() => new Template(source).render(VALUE)).toThrow(message);
  });

  test.each([
    ["{{foo}}", 'template: :1: function "foo" not defined'],
    ["{{.A", "template: :1: unclosed action"],
    ["{{if}}x{{end}}", "template: :1: missing value for if"],
    ["{{}}", "template: :1: missing value for command"],
    ["{{.A | }}", "missing value for command"],
    ["{{if .A}}", "unexpected EOF"],
    ["{{end}}", "unexpected {{end}}"],
    ["{{if .A}}{{else}}{{else}}{{end}}", "expected end; found {{else}}"],
    ["{{(.A}}", "unclosed left paren"],
    ["{{.A)}}", 'unexpected ")"'],
    ['{{"a}}', "unterminated quoted string"],
    ["{{/* x }}", "unclosed comment"],
    ["{{.A ! .B}}", 'unexpected "!" in operand'],
    ["\n\n{{range .A}}{{bar}}{{end}}", 'template: :3: function "bar" not defined'],
  ])("%p cannot be parsed: %s", (source, message) => {
    expect(() => new Template(source)).toThrow(message);
  });

  test("may take what is missing for no value, or for nil", () => {
    expect(new Template("{{.Foo}} {{.Foo.Bar}}").render(VALUE, { missing: "novalue" })).toBe(
      "<no value> <no value>",
    );
    expect(
      new Template("{{if .Health}}x{{else}}none{{end}}").render(VALUE, {
        optional: new Map([["Health", null]]),
      }),
    ).toBe("none");
  });

  test("never reaches what every object of JavaScript has", () => {
    for (const name of ["constructor", "toString", "__proto__"])
      expect(() => new Template(`{{.${name}}}`).render({})).toThrow("map has no entry");
  });
});
