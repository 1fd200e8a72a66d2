// Finds the functions of a source text, and those that its tests name. No parser: what people usually write is found.

const NAME = '[A-Za-z_$][\\w$]*';
const KEYWORDS = new Set(['if', 'for', 'while', 'switch', 'catch', 'function', 'return', 'constructor', 'with', 'super']);
/** Ways to write a function, with its name and its parameters. */
const SCRIPT = [
  new RegExp(`(?:^|[\\s;}])(?:async\\s+)?function\\s*\\*?\\s*(?<name>${NAME})\\s*(?:<[^>]*>)?\\(`, 'g'),
  new RegExp(`(?:const|let|var)\\s+(?<name>${NAME})\\s*(?::[^=]+)?=\\s*(?:async\\s*)?(?:function\\s*)?\\((?=[^)]*\\)[^=;{]*(?:=>|\\{))`, 'g'),
  new RegExp(`^[ \\t]+(?:public |private |protected |static |async )*(?<name>${NAME})\\s*\\((?=[^)]*\\)[^;{=]*\\{)`, 'gm'),
];
const WRITINGS = {
  javascript: SCRIPT,
  typescript: SCRIPT,
  javascriptreact: SCRIPT,
  typescriptreact: SCRIPT,
  python: [/^[ \t]*(?:async )?def (?<name>\w+)\s*\(/gm],
  rust: [/\bfn (?<name>\w+)\s*(?:<[^>]*>)?\(/g],
  go: [/^func (?:\([^)]*\) )?(?<name>\w+)\s*\(/gm],
};
const BY_ENDING = { js: 'javascript', mjs: 'javascript', cjs: 'javascript', jsx: 'javascript', ts: 'typescript', tsx: 'typescript',
  py: 'python', rs: 'rust', go: 'go' };
/** Where a program decides something. */
const BRANCHES = /\b(?:if|elif|for|while|case|catch|except|match)\b|&&|\|\||\?\?|\?[^.:?]+:/g;
/** What makes a test need more than values. */
const EFFECTS = /\b(?:fetch|document|window|process|console|open|requests|axios|fs|Date\.now|Math\.random|print)\b/;
const MAX_TEXT = 256 * 1024;

export const languageOf = ({ language, file = '' }) => {
  const said = String(language ?? '').toLowerCase();
  return said in WRITINGS ? said : BY_ENDING[file.split('.').pop()] ?? 'javascript';
};

/** Whether a file holds tests. */
export const isTestFile = (file = '') => /(?:[._-](?:test|spec)s?\.\w+|_test\.\w+|(?:^|\/)test_[^/]+|(?:^|\/)(?:__tests__|tests?)\/[^/]+)$/.test(file);

/** `{name, parameters, line, text, branches, hasEffects}` of each function, in their order. */
export function functionsIn(source) {
  const content = String(source.content ?? '').slice(0, MAX_TEXT);
  const found = new Map();
  for (const writing of WRITINGS[languageOf(source)]) {
    for (const match of content.matchAll(writing)) {
      const { name } = match.groups;
      const start = match.index + match[0].indexOf(name);
      if (KEYWORDS.has(name) || found.has(start)) continue;
      const open = match.index + match[0].length;
      found.set(start, describe(content, { name, start, open }));
    }
  }
  const inOrder = [...found].sort(([a], [b]) => a - b).map(([, each]) => each);
  return inOrder.map((each, index) => {
    const next = inOrder[index + 1]?.start ?? content.length;
    // What stands before the next one's name on its line belongs to that one.
    const line = index + 1 < inOrder.length ? content.lastIndexOf('\n', next) : next;
    const end = line > each.start ? line : next;
    const text = content.slice(each.start, end);
    return { ...each, text, branches: (text.match(BRANCHES) ?? []).length, hasEffects: EFFECTS.test(text) };
  });
}

function describe(content, { name, start, open }) {
  const close = closing(content, open);
  const parameters = split(content.slice(open, close)).map((each) => each.trim().replace(/^\.{3}|^\*+|^(?:mut|&)\s+/, '').replace(/[?:=][^]*$/, '').trim());
  const line = content.slice(0, start).split('\n').length;
  return { name, start, line, parameters: parameters.filter((each) => each && !['self', 'cls', '&self', '&mut self'].includes(each)) };
}

/** Where the parenthesis ends that was opened before `from`. */
function closing(content, from) {
  for (let at = from, depth = 1; at < content.length; at += 1) {
    if ('([{'.includes(content[at])) depth += 1;
    else if (')]}'.includes(content[at]) && (depth -= 1) === 0) return at;
  }
  return content.length;
}

/** At the commas that are in no parentheses. */
function split(text) {
  let depth = 0;
  return [...text].reduce((parts, char) => {
    if ('([{<'.includes(char)) depth += 1;
    if (')]}>'.includes(char)) depth -= 1;
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
    return parts;
  }, ['']);
}

/** The words in the tests of a text: a function is tested if one of them names it. */
export function testedIn({ file, content = '', language }) {
  const text = String(content).slice(0, MAX_TEXT);
  const isTest = isTestFile(file);
  const calls = languageOf({ file, language }) === 'python' ? /^[ \t]*def test_\w+[^]*?(?=^\S|$(?![\r\n]))/gm : /\b(?:it|test|describe)(?:\.\w+)?\s*\([^]*?\n?\}\s*\)/g;
  const parts = isTest ? [text] : text.match(calls) ?? [];
  return new Set(parts.flatMap((part) => part.match(/[A-Za-z_$][\w$]*/g) ?? []));
}

/** A test to begin with, in the words of the language. */
export function proposedTest({ file = 'code', language }, { name, parameters }) {
  const base = file.replace(/\.\w+$/, '');
  const ending = file.includes('.') ? file.split('.').pop() : 'js';
  if (languageOf({ file, language }) === 'python') {
    const parts = base.split('/');
    const module = parts.pop();
    const values = parameters.map((each) => `${each}=...`).join(', ');
    return {
      file: [...parts, `test_${module}.py`].join('/'),
      code: `from ${module} import ${name}\n\n\ndef test_${name}():\n    assert ${name}(${values}) == ...\n`,
    };
  }
  const values = parameters.map((each) => `/* ${each} */`).join(', ');
  return {
    file: `${base}.test.${ending}`,
    code: `import { ${name} } from './${base.split('/').pop()}';\n\ntest('${name}', () => {\n  expect(${name}(${values})).toEqual(/* … */);\n});\n`,
  };
}
