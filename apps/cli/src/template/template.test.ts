import { describe, expect, test } from 'vitest';
import { listFormat, templateOf } from './fill.js';
import { inColumns } from './tab-writer.js';

const DATA = {
  Name: 'web',
  Count: 3,
  Half: 0.5,
  On: true,
  Off: false,
  Nothing: undefined,
  Empty: '',
  List: ['a', 'b', 'c'],
  None: [],
  State: { Status: 'exited', Code: 7 },
  Labels: new Map<string, unknown>([
    ['b', '2'],
    ['a', '1'],
  ]),
  Mounts: [{ Source: '/x' }, { Source: '/y' }],
  Evil: 'a\u001b[31m\nb',
  Label: (name: unknown) => (name === 'a' ? '1' : ''),
};
const filled = (source: string): string => templateOf(source)(DATA).plain;

// As text/template of Go prints them; docker.test.ts of test/conformance asks docker about as many.
test.each([
  ['{{.Name}}', 'web'],
  ['a {{- .Name -}} b', 'awebb'],
  ['a {{/* said */}} b{{- /* trimmed */ -}} c', 'a  bc'],
  ['{{.Count}} {{.Half}} {{.On}} {{.Nothing}} {{.List}} {{.None}} {{.Labels}} {{.State}}', '3 0.5 true <no value> [a b c] [] map[a:1 b:2] {exited 7}'],
  ['{{.State.Status}}/{{.State.Code}}', 'exited/7'],
  ['{{if .On}}yes{{else}}no{{end}}{{if .Off}}yes{{else if .Empty}}empty{{else}}no{{end}}', 'yesno'],
  ['{{with .State}}{{.Code}} {{$.Name}}{{end}}{{with .None}}x{{else}}none{{end}}', '7 webnone'],
  ['{{range .List}}<{{.}}>{{end}}{{range .None}}x{{else}}none{{end}}', '<a><b><c>none'],
  ['{{range $i, $e := .List}}{{if $i}},{{end}}{{$i}}={{$e}}{{end}}', '0=a,1=b,2=c'],
  ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;'],
  ['{{range .List}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}{{range .List}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', 'aca'],
  ['{{$n := 1}}{{range .List}}{{$n = .}}{{end}}{{$n}}', 'c'],
  ['{{range 2}}{{.}}{{end}}', '01'],
  ['{{index .List 1}}{{index .Labels "a"}}{{index .Labels "z"}}{{(index .Mounts 1).Source}}{{len .List}}{{len .Name}}', 'b1/y33'],
  ['{{slice .Name 1}}{{slice .List 0 2}}', 'eb[a b]'],
  ['{{json .State}} {{json .Labels}} {{json .Nothing}}', '{"Status":"exited","Code":7} {"b":"2","a":"1"} null'],
  ['{{upper .Name}}{{lower "X"}}{{title "ab cd"}}{{truncate .Name 2}}[{{pad .Name 1 2}}][{{pad "" 1 2}}]', 'WEBxAb Cdwe[ web  ][]'],
  ['{{join .List ", "}}{{split "a,b" ","}}{{range split "a,b" ","}}({{.}}){{end}}', 'a, b, c[a b](a)(b)'],
  ['{{.Name | upper | printf "%s-%s" "x"}}', 'x-WEB'],
  ['{{printf "%5d|%-5s|%05d|%q|%x|%.1f|%v|%t|%%" 42 "ab" 7 "q" 255 1.25 .List true}}', '   42|ab   |00007|"q"|ff|1.3|[a b c]|true|%'],
  ['{{printf "%d" "x"}}{{printf "%s"}}{{printf "x" 1}}', '%!d(string=x)%!s(MISSING)x%!(EXTRA int=1)'],
  ['{{print "a" "b" 1 2 .On}}{{println "x" 1}}', 'ab1 2 truex 1\n'],
  ['{{eq .Name "x" "web"}}{{ne 1 2}}{{lt 1 2}}{{le 2 2}}{{gt "b" "a"}}{{ge 1 2}}', 'truetruetruetruetruefalse'],
  ['{{and .On .Name}}{{or .Empty .Off "z"}}{{not .On}}{{and 0 (index .None 9)}}', 'webzfalse0'],
  ['{{html "<a>"}}{{urlquery "a b&c"}}{{js "it\'s"}}', "&lt;a&gt;a+b%26cit\\'s"],
  ['{{define "t"}}[{{.}}]{{end}}{{template "t" .Name}}{{block "u" .Count}}({{.}}){{end}}', '[web](3)'],
  ['{{.Label "a"}}{{if .Label "z"}}x{{end}}', '1'],
  ['{{`raw\\n`}}{{"\\u00e9\\x41\\t"}}{{\'a\'}}', 'raw\\néA\t97'],
  ['{{true}}{{0x10}}{{1_000}}{{1.5}}{{-1}}', 'true1610001.5-1'],
  ['plain', 'plain'],
])('%s', (source, expected) => {
  expect(filled(source)).toBe(expected);
});

test('what comes from outside is escaped, in every function; what the template says is not', () => {
  const escaped = 'a\\x1b[31m\\nb';
  for (const source of [
    '{{.Evil}}',
    '{{print .Evil}}',
    '{{printf "%s" .Evil}}',
    '{{printf "%v" .Evil}}',
    '{{join (split .Evil "q") ","}}',
    '{{with $x := .Evil}}{{$x}}{{end}}',
  ])
    expect(filled(source)).toBe(escaped);
  for (const source of [
    '{{upper .Evil}}',
    '{{html .Evil}}',
    '{{json .Evil}}',
    '{{slice .Evil 0}}',
    '{{index (split .Evil "q") 0}}',
    '{{pad .Evil 1 1}}',
    '{{printf "%q" .Evil}}',
  ])
    for (const unsafe of ['\u001b', '\n']) expect(filled(source)).not.toContain(unsafe);
  expect(filled('{{"\\n"}}{{println .Name}}')).toBe('\nweb\n');
});

describe('a mistake is an error', () => {
  test.each([
    '{{.Nmae}}',
    '{{.State.Nothing}}',
    '{{.Name.X}}',
    '{{.Nothing.X}}',
    '{{nothing .Name}}',
    '{{foo}}',
    '{{',
    '{{.Name',
    '{{end}}',
    '{{if .On}}',
    '{{else}}',
    '{{range .List}}',
    '{{range .Name}}{{end}}',
    '{{"x}}',
    '{{$x}}',
    '{{$x = 1}}',
    '{{break}}',
    '{{template "no"}}',
    '{{index .List 9}}',
    '{{index .Count 1}}',
    '{{len 3}}',
    '{{upper 1}}',
    '{{join .Name ","}}',
    '{{eq 1 "a"}}',
    '{{eq 1}}',
    '{{lt .On .Off}}',
    '{{.Name 1}}',
    '{{1 | 2}}',
    '{{json}}',
    '{{json 1 2}}',
    '{{%}}',
    '{{/* x }}',
    '{{define "t"}}{{template "t"}}{{end}}{{template "t"}}',
    '{{()}}',
    '{{(1}}',
    '{{1a}}',
    '{{"\\z"}}',
    '{{nil}}.X{{nil.X}}',
    '{{call .Name}}',
    '{{if}}{{end}}',
  ])('%s', (source) => {
    expect(() => filled(source)).toThrow(expect.objectContaining({ code: 'USAGE', hint: expect.any(String) }));
  });
});

describe('a list', () => {
  const headers = { ID: 'CONTAINER ID', Names: 'NAMES' };
  const rows = [
    { ID: '1', Names: 'a-long-name', Label: (name: unknown) => `<${String(name)}>` },
    { ID: '22', Names: 'b', Label: () => '' },
  ];
  const printed = (format: string): string[] | undefined => listFormat(format, headers)?.(rows).map(({ plain }) => plain);
  test('is the own table of the command by default', () => {
    expect(listFormat('table', headers)).toBeUndefined();
    expect(listFormat('', headers)).toBeUndefined();
  });
  test('has words above its columns', () => {
    expect(printed('table {{.Names}}\\t{{.ID}}\t{{.Label "x"}}')).toEqual([
      'NAMES         CONTAINER ID   x',
      'a-long-name   1              <x>',
      'b             22             ',
    ]);
    expect(printed('table {{upper .ID}} {{json .Names}}')?.[0]).toBe('CONTAINER ID NAMES');
  });
  test('is lines', () => {
    expect(printed('{{.ID}}\\t{{.Names}}')).toEqual(['1\ta-long-name', '22\tb']);
    expect(printed('json')).toEqual(['{"ID":"1","Names":"a-long-name"}', '{"ID":"22","Names":"b"}']);
  });
  test('of nothing tells of a field that there is not all the same', () => {
    for (const format of ['{{.Nmaes}}', 'table {{.Nmaes}}', '{{if .On}}{{.ID}}{{end}}', '{{range .ID}}{{$.Nmaes}}{{end}}', '{{json (.Nmaes | upper)}}'])
      expect(() => listFormat(format, headers)).toThrow(/can't evaluate field/);
  });
});

test('columns are aligned as by text/tabwriter', () => {
  expect(inColumns(['a\tb\tc', 'longer than it\tb\tc', 'none', 'x\ty'])).toEqual([
    `${'a'.padEnd(17)}${'b'.padEnd(10)}c`,
    `${'longer than it'.padEnd(17)}${'b'.padEnd(10)}c`,
    'none',
    `${'x'.padEnd(10)}y`,
  ]);
});
