// Suggestions for a file: a test for each function that has none.

import { createHash } from 'node:crypto';
import { functionsIn, isTestFile, proposedTest, testedIn } from './functions.mjs';

const MAX_SUGGESTIONS = 50;

/** Suggestions for `source`, given the other files of its client; `range` (`{start, end}` in lines) leaves out the others. */
export function suggestionsFor(source, others = [], range) {
  if (isTestFile(source.file)) return [];
  const untested = analysisOf(source, others).functions.filter(({ tested }) => !tested);
  const meant = untested.filter(({ line, endLine }) => !range || (line <= range.end && endLine >= range.start));
  return meant.slice(0, MAX_SUGGESTIONS).map((each) => ({
    id: idOf(source.file, each.name),
    type: 'test',
    title: 'Add unit test',
    description: 'This function needs tests',
    confidence: confidenceOf(each),
    file: source.file,
    line: each.line,
    function: each.name,
    test: proposedTest(source, each),
  }));
}

/** What there is in a file, and which of it is tested. */
export function analysisOf(source, others = []) {
  const tested = new Set([source, ...others].flatMap((file) => [...testedIn(file)]));
  const functions = functionsIn(source).map(({ name, parameters, line, text, branches, hasEffects }) => {
    const endLine = line + text.trimEnd().split('\n').length - 1;
    return { name, parameters, line, endLine, complexity: branches + 1, hasEffects, tested: tested.has(name) };
  });
  const testedCount = functions.filter((each) => each.tested).length;
  return {
    file: source.file,
    functions,
    metrics: {
      lines: String(source.content ?? '').split('\n').length,
      functions: functions.length,
      tested: testedCount,
      coverage: functions.length === 0 ? 1 : testedCount / functions.length,
      complexity: functions.reduce((sum, { complexity }) => sum + complexity, 0),
    },
  };
}

/** A function that decides something needs a test more; one with effects is harder to test. */
function confidenceOf({ complexity, hasEffects }) {
  const confidence = 0.75 + Math.min(0.05 * (complexity - 1), 0.2) - (hasEffects ? 0.25 : 0);
  return Math.round(confidence * 100) / 100;
}

/** The same suggestion has the same id, so that an IDE shows it once: a UUID as of RFC 9562, made of a hash. */
function idOf(file, name) {
  const hash = createHash('sha256').update(`${file}\n${name}`).digest('hex');
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
