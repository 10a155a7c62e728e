/**
 * A rule for textlint: sentences that a reader without our habits understands. The reasons are in CONTRIBUTING.md, "Writing".
 */
import passiveVoice from 'passive-voice';
import { SentenceSplitterSyntax, splitAST } from 'sentence-splitter';
import { StringSource } from 'textlint-util-to-string';

/** Words of one sentence. */
const MOST_WORDS = 30;
/** Passive verbs of one sentence. A chain such as "is made and is then removed" hides the person or program that acts. */
const MOST_PASSIVES = 2;

/** Turns that hide the subject or the verb, and what to write instead. */
const TURNS = [
  [/^(?:and |but |so )?who(?:ever)?\b(?![^.]*\?)/i, 'a person is named: "users who …", "a caller that …"'],
  [/\bwhoever\b/i, 'name the person: "users", "another process"'],
  [/\b(?:for|of|to|by|from|as|with|than) who\b(?! (?:is|are) \w+ed\b)/i, 'name the person: "for ordinary users"'],
  [/\b(?:of|with) (?:its|their|his|her|our) own\b/i, 'say "its own …", "a separate …", "new …", or nothing'],
  [/\bis is\b|\bare are\b|\bwas was\b/i, 'say directly what it is'],
  [/\bwhat (?:it|they|something|somebody|one) (?:is|are) to\b/i, 'say "must" or "should"'],
  [
    /\b(?:it|this|that|they|which|kernel|record|lock|file|image|engine|journal|header|name|test|lint|command|error|option|container) (?:says|tells|said|told|asks|knows)\b/i,
    'things do not talk: "contains", "shows", "lists", "reports"',
  ],
  [/\bsays so\b|\bsay so\b|\bsaid so\b/i, 'say what is printed, and where'],
  [/\bare told(?: of)?\b|\bis told(?: of)?\b|\btold (?:of|by)\b/i, 'say "receives", "reports", "lists"'],
  [/\bsomebody\b/i, 'name the person or program: "another process", "the user"'],
  [/, for (?:it|they|there|he|she|nobody|one|that|these|those|what|some)\b/i, 'say "because"'],
  [/\bbut for\b/i, 'say "except"'],
  [/(?<!\bthere )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|such\b)\w/i, 'say "is not a …"'],
  [/\b(?:has|have) (?:no|nothing) (?:\w+ )?of (?:its|their|it|them)\b/i, 'use a plain verb'],
  [/\bgo(?:es)? on with\b|\blets? (?:it|them) go on\b/i, 'say "continues"'],
  [/\b(?:where|wher)(?:of|in|by|upon)\b|\bthere(?:of|in|upon)\b/i, 'use a short plain word'],
  [/\bin its place\b|\bin the place of\b/i, 'say "instead" or "replaces"'],
  [/\bnot before\b.*\bnot\b/i, 'one negation for a sentence'],
];

/** The rule, as textlint calls it. */
export default function plainEnglish({ Syntax, RuleError, report, locator }) {
  const check = (node) => {
    const { children } = splitAST(node);
    for (const sentence of children) {
      if (sentence.type !== SentenceSplitterSyntax.Sentence) continue;
      const source = new StringSource(sentence, {
        // What is code is one word.
        replacer: ({ node: part, maskValue }) => (part.type === 'Code' ? maskValue('x') : undefined),
      });
      const text = source.toString();
      const at = (index) => ({
        padding: locator.at(sentence.range[0] - node.range[0] + Math.min(source.originalIndexFromIndex(index) ?? 0, sentence.range[1] - sentence.range[0] - 1)),
      });
      const words = text.split(/\s+/).filter((word) => /\w/.test(word)).length;
      if (words > MOST_WORDS) report(node, new RuleError(`a sentence of ${words} words; ${MOST_WORDS} at most, about 20 are easy to read`, at(0)));
      const passives = passiveVoice(text);
      if (passives.length > MOST_PASSIVES)
        report(node, new RuleError(`${passives.length} passive verbs in one sentence: say who does it`, at(passives[0].index)));
      for (const [turn, instead] of TURNS) {
        const found = turn.exec(text);
        if (found) report(node, new RuleError(`"${found[0].trim()}": ${instead}`, at(found.index)));
      }
    }
  };
  return { [Syntax.Paragraph]: check, [Syntax.Header]: check, [Syntax.TableCell]: check };
}
