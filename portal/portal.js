// The status page of policy-orchestrator: reads the state file and the portal's data, and draws them.
//
// What the files say is data from elsewhere: every value goes into the page as the text of a node, no
// markup is ever made of it, and a level is only shown where the state file is whole, of a version
// that this page knows, and fresh. Everything else is grey, with the reason in words.

const STATE = '../state/policy_state.json';
const DATA = '../state/portal_data.json';
const SCHEMA = 1;
const REFRESH = 15000;
const PATIENCE = 10000;
const LATE_HOURS = 26;
const AHEAD_MINUTES = 5;
const MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const DAYS = 90;
const SIX = {
  trust: 'trust_locked', integrity: 'integrity_score', consensus: 'consensus_pct',
  reputation: 'reputation_score', forecast: 'forecast_risk', responses: 'recent_responses',
};
const PERCENT = ['integrity', 'consensus', 'reputation'];
const RISKS = ['low', 'medium', 'high'];

// ---- small parts ------------------------------------------------------------------------------

const at = (id) => document.getElementById(id);
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value) => (Array.isArray(value) ? value : []);
const objects = (value) => list(value).filter(isObject);
const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const own = (object, key) => (isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** A value as text: what is no text, number or truth value is a dash. */
function text(value, longest = 400) {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value === '') return '—';
  return value.length > longest ? `${value.slice(0, longest)} …` : value;
}

/** An element with attributes and children; a child that is no node becomes text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Replaces what stands in `id`, unless the same stands there: whoever reads it is not disturbed. */
function show(id, ...children) {
  const place = at(id);
  const fresh = document.createDocumentFragment();
  fresh.append(...children.filter((child) => child !== null && child !== undefined));
  const holder = make('div');
  holder.append(fresh);
  if (holder.isEqualNode(shown.get(id) ?? null)) return;
  shown.set(id, holder.cloneNode(true));
  const opened = [...place.querySelectorAll('details')].map((details) => details.open);
  const focused = [...place.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  place.replaceChildren(...holder.childNodes);
  [...place.querySelectorAll('details')].forEach((details, index) => { details.open = opened[index] ?? false; });
  if (focused >= 0) place.querySelectorAll(FOCUSABLE)[focused]?.focus();
}
const shown = new Map();
const FOCUSABLE = 'a, summary, [tabindex]';

/** A text of this page, with what stands between backquotes as code. Not for texts from files. */
function prose(words) {
  return words.split('`').map((part, index) => (index % 2 ? make('code', {}, part) : part));
}

function say(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

// ---- time -------------------------------------------------------------------------------------

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

function time(value) {
  if (typeof value !== 'string' || !TIME.test(value)) return null;
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? null : parsed;
}

const utc = (when) => `${new Date(when).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const date = (when) => new Date(when).toISOString().slice(0, 10);
const many = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`;

function span(milliseconds) {
  const length = Math.abs(milliseconds);
  if (length < MINUTE) return 'less than a minute';
  if (length < 2 * HOUR) return many(Math.floor(length / MINUTE), 'minute');
  if (length < 2 * DAY) return many(Math.floor(length / HOUR), 'hour');
  return many(Math.floor(length / DAY), 'day');
}
const ago = (when, now) => (when > now + MINUTE ? `in ${span(when - now)}` : `${span(now - when)} ago`);

/** A time as an element that machines read too. */
function moment(when, words = utc(when)) {
  return make('time', { datetime: new Date(when).toISOString() }, words);
}

// ---- levels -----------------------------------------------------------------------------------

const LEVEL = /^[A-Z][A-Z0-9_]{0,31}$/;
const isLevel = (value) => typeof value === 'string' && LEVEL.test(value);

/** The colour of a level. One that a policy puts between GREEN and RED is at least YELLOW. */
function tone(level) {
  if (!isLevel(level)) return 'unknown';
  return { RED: 'red', GREEN: 'green' }[level] ?? 'yellow';
}
const SHAPES = { red: '■', yellow: '▲', green: '●', unknown: '?' };
const HEIGHTS = { red: 100, yellow: 66, green: 33, unknown: 12 };

function chip(level) {
  const color = tone(level);
  return make('span', { class: `chip ${color}` }, make('span', { 'aria-hidden': 'true' }, SHAPES[color]), text(level, 40));
}

// ---- reading ----------------------------------------------------------------------------------

/** A file, or why there is none: {value} or {problem}. */
async function read(address) {
  let body;
  try {
    const answer = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status === 404) return { missing: true, problem: 'no such file is there' };
    if (!answer.ok) return { problem: `the server answers ${answer.status}` };
    body = await answer.text();
  } catch {
    const local = location.protocol === 'file:';
    return {
      problem: local
        ? 'a page opened from a file can’t read it; use `policy-orchestrator portal --serve`'
        : 'the server can’t be reached, or answers too slowly',
    };
  }
  try {
    return { value: JSON.parse(body.replace(/^\uFEFF/, '')) };
  } catch {
    return { problem: 'it is no JSON' };
  }
}

/** What the state file is good for: {state} where its level counts, and {grey} with the reason where not. */
function judge(file, now) {
  if (file.missing) {
    return { grey: 'Nothing was evaluated here yet, or the state file is not published: no such file is there.' };
  }
  if (file.problem) return { grey: `The state file can’t be read: ${file.problem}.` };
  const state = file.value;
  if (!isObject(state)) return { grey: 'The state file can’t be read: it holds no object.' };
  const schema = own(state, 'schema');
  if (number(schema) !== null && schema > SCHEMA) {
    return { grey: `The state file is of a newer version (${schema}) than this page knows (${SCHEMA}). Update the page: \`policy-orchestrator portal --export\`.` };
  }
  if (schema !== undefined && schema !== SCHEMA) return { grey: 'The state file can’t be read: nobody knows its version.' };
  if (!isLevel(own(state, 'policy'))) return { grey: 'The state file can’t be read: it names no level.' };
  const evaluated = time(own(state, 'evaluated_at'));
  if (evaluated === null) return { grey: 'The state file can’t be read: it doesn’t say when it was evaluated.' };
  if (evaluated > now + AHEAD_MINUTES * MINUTE) {
    return { state, evaluated, grey: `The last evaluation is dated ${span(evaluated - now)} ahead of this machine’s clock, so nobody knows how old it is.` };
  }
  if (now - evaluated > LATE_HOURS * HOUR) {
    return { state, evaluated, grey: `The last evaluation is ${span(now - evaluated)} old. A level counts for ${LATE_HOURS} hours: the schedule has stopped, or its result was not published.` };
  }
  if (own(state, 'given_clock') === true) {
    return { state, evaluated, grey: 'The last evaluation was made for a given time (`run --at`), and such a decision never counts as fresh.' };
  }
  return { state, evaluated, grey: null };
}

/** The portal's data, or why it is left out. */
function usable(file) {
  if (file.missing) {
    return { why: 'There is no history to show: `policy-orchestrator portal data --rebuild` makes state/portal_data.json, and every run keeps it up to date from then on.' };
  }
  if (file.problem) return { why: `The history can’t be shown: state/portal_data.json can’t be read (${file.problem}).` };
  const data = file.value;
  const schema = own(data, 'schema');
  if (!isObject(data) || number(schema) === null) return { why: 'The history can’t be shown: state/portal_data.json is none of ours.' };
  if (schema > SCHEMA) return { why: 'The history can’t be shown: state/portal_data.json is of a newer version than this page knows.' };
  return { data };
}

/** True where the data goes as far as the state file, by the digest of the journal's last line. */
function fits(state, data) {
  const journal = own(state, 'journal');
  return own(journal, 'sha256') !== undefined && own(own(data, 'head'), 'sha256') === own(journal, 'sha256');
}

// ---- the status -------------------------------------------------------------------------------

let announced = null;

function status(verdict, now) {
  const { state, evaluated, grey } = verdict;
  const level = grey === null ? state.policy : null;
  const color = tone(level);
  document.body.dataset.level = color;
  say('badge-text', level ?? '—');
  say('badge-shape', SHAPES[color]);
  const since = time(own(state, 'since'));
  const before = own(state, 'before');
  const beginning = since === null ? '' : `since ${utc(since)} (${span(now - since)})`;
  const from = isLevel(before) && before !== level ? `, before that ${before}` : '';
  show('sentence', ...prose(grey ?? (beginning ? `${level} ${beginning}${from}.` : `${level}.`)));
  document.title = `${level ?? '—'} · System Policy Status`;
  const label = at('evaluated');
  say('evaluated', evaluated === undefined ? '—' : utc(evaluated));
  if (evaluated === undefined) label.removeAttribute('datetime');
  else label.setAttribute('datetime', new Date(evaluated).toISOString());
  say('evaluated-age', evaluated === undefined ? '' : ago(evaluated, now));
  const current = grey === null;
  say('trust', current ? trust(state) : '—');
  say('forecast', current ? forecast(state) : '—');
  say('document', current ? policy(state) : '—');
  const news = grey ?? `The level is ${level}.`;
  const kind = grey === null ? level : grey.replace(/\d+/g, '');
  if (announced !== kind) {
    announced = kind;
    say('announce', grey === null ? news : `No level is shown. ${news}`);
  }
}

const standing = (state, signal) => own(own(own(state, 'readings'), signal), 'status');

/** A value that stands in for a report nobody made is no report. */
function reported(state, signal) {
  const how = standing(state, signal);
  return how === undefined || how === 'valid' || how === 'stale';
}

function trust(state) {
  const locked = own(own(state, 'inputs'), 'trust_locked');
  if (!reported(state, 'trust') || typeof locked !== 'boolean') return '— not reported';
  return locked ? '🔒 LOCKED' : '🔓 Unlocked';
}

function forecast(state) {
  const risk = own(own(state, 'inputs'), 'forecast_risk');
  if (!reported(state, 'forecast') || !RISKS.includes(risk)) return '— not reported';
  return risk.toUpperCase();
}

function policy(state) {
  const document = own(state, 'document');
  return isObject(document) ? `${text(own(document, 'name'), 80)}, version ${text(own(document, 'version'), 40)}` : '—';
}

// ---- reasons, needs, margins ------------------------------------------------------------------

const rounded = (value) => String(Number(value.toFixed(3)));

function worded(value) {
  if (value === true) return 'locked';
  if (value === false) return 'unlocked';
  return text(value, 80);
}

/** A reason in words: the value, its line, and the margin. */
function sentence(reason) {
  const signal = own(reason, 'signal');
  const value = own(reason, 'value'), threshold = own(reason, 'threshold');
  const note = own(reason, 'note');
  const name = text(signal, 80);
  if (value === undefined) {
    const what = note === undefined ? text(own(reason, 'code'), 80).toLowerCase().replaceAll('_', ' ') : text(note);
    return signal === undefined ? what : `${name}: ${what}`;
  }
  if (number(value) !== null && number(threshold) !== null) {
    const distance = rounded(Math.abs(value - threshold));
    const where = value === threshold ? 'at its line of' : `${distance} ${value < threshold ? 'below' : 'above'} its line of`;
    return `${name} is ${text(value)}, ${where} ${text(threshold)}`;
  }
  return `${name} is ${worded(value)}${note === undefined ? '' : `: ${text(note)}`}`;
}

/** The value against its line as a bar, zoomed in on the two, with the margin drawn between them. */
function bar(reason) {
  const value = number(own(reason, 'value')), limit = number(own(reason, 'threshold'));
  if (value === null || limit === null) return null;
  const percent = PERCENT.includes(own(reason, 'signal'));
  const distance = Math.abs(value - limit);
  const room = Math.max(distance * 2.5, percent ? 4 : Math.max(Math.abs(limit), Math.abs(value)) * 0.25, 1e-9);
  let low = Math.min(value, limit) - room, high = Math.max(value, limit) + room;
  if (percent) [low, high] = [Math.max(0, Math.floor(low)), Math.min(100, Math.ceil(high))];
  else if (Math.min(value, limit) >= 0) low = Math.max(0, low);
  const share = (what) => `${clamp(((what - low) / (high - low)) * 100, 0, 100).toFixed(2)}%`;
  const track = make('div', { class: 'bar', 'aria-hidden': 'true' });
  const part = (name, sizes) => {
    const element = make('span', { class: name });
    for (const [key, size] of Object.entries(sizes)) element.style.setProperty(key, size);
    track.append(element);
  };
  part('value', { '--value': share(value) });
  const width = `${((distance / (high - low)) * 100).toFixed(2)}%`;
  part('margin', { '--from': share(Math.min(value, limit)), '--width': width });
  part('limit', { '--limit': share(limit) });
  const ends = make('div', { class: 'ends', 'aria-hidden': 'true' },
    make('span', {}, rounded(low)), make('span', {}, `value ${rounded(value)} · line ${rounded(limit)}`), make('span', {}, rounded(high)));
  return make('div', {}, track, ends);
}

function reasons(entries) {
  return make('ul', { class: 'items' }, ...entries.map((reason) => make('li', {},
    make('p', { class: 'line' }, chip(own(reason, 'level')), make('strong', {}, sentence(reason))),
    bar(reason),
    make('p', { class: 'line' }, make('code', { class: 'code' }, text(own(reason, 'code'), 80))))));
}

const quiet = (words) => make('p', { class: 'quiet' }, words);

function causes(verdict) {
  for (const id of ['why', 'needs', 'near']) {
    // Without a level that counts there is nothing to explain, and nothing old is left to read.
    at(id).closest('section').hidden = verdict.grey !== null;
    if (verdict.grey !== null) show(id);
  }
  if (verdict.grey !== null) return;
  const { state } = verdict;
  const fired = objects(own(state, 'reasons')), near = objects(own(state, 'near'));
  const waived = objects(own(state, 'waived'));
  show('why',
    fired.length ? reasons(fired) : quiet('No trigger fired.'),
    waived.length ? make('div', {}, make('h3', {}, 'Waived'), make('ul', { class: 'items' }, ...waived.map((entry) => {
      const waiver = own(entry, 'waiver');
      return make('li', {}, make('p', { class: 'line' }, chip(own(entry, 'level')), make('strong', {}, sentence(entry))),
        make('p', { class: 'quiet' }, `does not count: ${text(own(waiver, 'reason'))} (by ${text(own(waiver, 'by'), 80)}, until ${text(own(waiver, 'expires'), 40)})`));
    }))) : null);
  const needs = objects(own(state, 'needs'));
  show('needs', needs.length ? make('ul', { class: 'items' }, ...needs.map((need) => make('li', {},
    make('p', { class: 'line' }, chip(own(need, 'level')), make('span', {}, 'needs')),
    make('ul', {}, ...objects(own(need, 'changes')).map((change) => make('li', { class: 'change' },
      make('span', {}, `${text(own(change, 'what'), 120)} ${text(own(change, 'from'), 120)} → `,
        make('span', { class: 'to' }, text(own(change, 'to'), 200)))))))))
    : quiet(state.policy === 'GREEN' ? 'Nothing: it is GREEN.' : 'No change of the signals alone would lower the level.'));
  show('near', near.length ? reasons(near) : quiet('No value is close to its line.'));
}

// ---- signals ----------------------------------------------------------------------------------

const STATUS_SHAPES = { valid: '✓', missing: '–', stale: '◔', invalid: '✕' };
const STATUS_TONES = { valid: 'plain', missing: 'yellow', stale: 'yellow', invalid: 'red' };

function value(state, name) {
  const key = own(SIX, name);
  const raw = key === undefined ? own(own(own(state, 'readings'), name), 'value') : own(own(state, 'inputs'), key);
  return worded(raw);
}

function tile(state, name, reading, now) {
  const how = text(own(reading, 'status'), 20);
  const observed = time(own(reading, 'observed_at'));
  const told = reported(state, name);
  return make('li', { class: 'tile' },
    make('h3', {}, make('span', {}, text(name, 80)),
      make('span', { class: `chip ${own(STATUS_TONES, how) ?? 'unknown'}` },
        make('span', { 'aria-hidden': 'true' }, own(STATUS_SHAPES, how) ?? '?'), how)),
    make('p', { class: told ? 'value' : 'value absent' }, told ? value(state, name) : 'not reported'),
    make('p', {}, observed === null ? 'the file tells no time' : `reported ${ago(observed, now)}`),
    own(reading, 'note') === undefined ? null : make('p', {}, text(own(reading, 'note'))),
    own(reading, 'file') === undefined ? null : make('p', {}, make('code', {}, text(own(reading, 'file'), 200))));
}

function signals(verdict, now) {
  const readings = own(verdict.state, 'readings');
  const entries = isObject(readings) ? Object.entries(readings).filter(([, reading]) => isObject(reading)).slice(0, 200) : [];
  at('signals').closest('section').hidden = verdict.state === undefined;
  if (!entries.length) return show('signals', quiet('The state file lists no signals.'));
  const found = [...objects(own(verdict.state, 'errors')), ...objects(own(verdict.state, 'warnings'))].slice(0, 20);
  return show('signals',
    verdict.grey === null ? null : quiet(`As they were read at the last evaluation, ${ago(verdict.evaluated, now)}.`),
    make('ul', { class: 'tiles' }, ...entries.map(([name, reading]) => tile(verdict.state, name, reading, now))),
    found.length ? make('details', {}, make('summary', {}, `${many(found.length, 'remark')} of the last evaluation`),
      make('ul', { class: 'items' }, ...found.map((finding) => make('li', {},
        make('p', {}, make('code', {}, text(own(own(finding, 'place'), 'file'), 200)), ` ${text(own(finding, 'message'))}`),
        own(finding, 'help') === undefined ? null : make('p', { class: 'quiet' }, text(own(finding, 'help'))))))) : null);
}

// ---- the timeline -----------------------------------------------------------------------------

/** Where a time stands between the ends of the timeline, in percent. */
function scale(from, until) {
  return (when) => clamp(((when - from) / (until - from)) * 100, 0, 100);
}

function box(x, from, until, height, name, words) {
  const left = x(from), width = Math.max(x(until) - left, 0.25);
  return draw('rect', { x: `${left.toFixed(3)}%`, width: `${width.toFixed(3)}%`, y: `${100 - height}%`, height: `${height}%`, class: name },
    draw('title', {}, words));
}

/** The levels as spans; the time of no evaluation is cut out of them. */
function stretches(data, until) {
  const turns = objects(data.transitions)
    .map((turn) => ({ at: time(own(turn, 'at')), level: own(turn, 'level'), reasons: list(own(turn, 'reasons')) }))
    .filter((turn) => turn.at !== null && turn.at <= until);
  const last = time(data.last_at);
  return turns.map((turn, index) => ({ ...turn, until: turns[index + 1]?.at ?? Math.min(until, (last ?? turn.at) + LATE_HOURS * HOUR) }));
}

function gaps(data, from, until) {
  const between = objects(data.gaps).map((gap) => ({ from: time(own(gap, 'from')), until: time(own(gap, 'until')) }))
    .filter((gap) => gap.from !== null && gap.until !== null && gap.until > from)
    .map((gap) => ({ from: gap.from + LATE_HOURS * HOUR, until: gap.until }));
  const last = time(data.last_at);
  if (last !== null && until - last > LATE_HOURS * HOUR) between.push({ from: last + LATE_HOURS * HOUR, until });
  return between.filter((gap) => gap.until > gap.from);
}

function levels(data, x, from, until, missing) {
  const spans = stretches(data, until).filter((stretch) => stretch.until > from);
  const plot = draw('svg', { class: 'plot levels', role: 'img', 'aria-label': told(spans, missing) });
  for (const stretch of spans) {
    const color = tone(stretch.level);
    const words = `${text(stretch.level, 40)} from ${utc(stretch.at)} to ${utc(stretch.until)}`;
    plot.append(box(x, Math.max(stretch.at, from), stretch.until, HEIGHTS[color], `lv-${color}`, words));
    if (stretch.at > from) {
      const position = `${x(stretch.at).toFixed(3)}%`;
      plot.append(draw('line', { x1: position, x2: position, y1: '0%', y2: '100%', class: 'turn' }));
    }
  }
  for (const gap of missing) plot.append(box(x, gap.from, gap.until, 100, 'gapped', `no evaluation from ${utc(gap.from)} to ${utc(gap.until)}`));
  return plot;
}

function told(spans, missing) {
  const last = spans.at(-1);
  if (!last) return 'No level was recorded in this time.';
  const turns = Math.max(0, spans.length - 1);
  const silent = missing.length ? `, and ${many(missing.length, 'stretch').replace('stretchs', 'stretches')} without an evaluation` : '';
  return `Levels of the last ${DAYS} days: ${many(turns, 'change')}${silent}; the last one recorded is ${text(last.level, 40)} from ${utc(last.at)} on.`;
}

/** The limits of a signal by the state file, where it is one of the six. */
function limits(state, name) {
  const thresholds = own(state, 'thresholds');
  const found = [];
  for (const color of ['red', 'yellow']) {
    const line = number(own(thresholds, `${color}_${name}`));
    if (line !== null) found.push({ color, line });
  }
  return found;
}

function trace(signal, x, from, state) {
  const days = list(own(signal, 'days')).filter((day) => Array.isArray(day) && /^\d{4}-\d{2}-\d{2}$/.test(day[0]));
  const points = days.map((day) => ({
    at: Date.parse(`${day[0]}T12:00:00Z`), low: number(day[1]), high: number(day[2]), last: number(day[3]), status: day[4],
  })).filter((point) => point.at >= from - DAY);
  const known = points.filter((point) => point.low !== null && point.high !== null && point.last !== null);
  const lines = limits(state, own(signal, 'name'));
  const values = [...known.flatMap((point) => [point.low, point.high]), ...lines.map((line) => line.line)];
  const name = text(own(signal, 'name'), 80);
  const plot = draw('svg', { class: 'plot signal', role: 'img', viewBox: '0 0 100 100', preserveAspectRatio: 'none' });
  if (!known.length) {
    plot.setAttribute('aria-label', `${name}: no values in this time.`);
    return { plot, words: 'no values' };
  }
  const least = Math.min(...values), most = Math.max(...values);
  const y = (value) => (most === least ? 50 : 90 - ((value - least) / (most - least)) * 80);
  const spot = (point, value) => `${x(point.at).toFixed(2)},${y(value).toFixed(2)}`;
  for (const line of lines) {
    plot.append(draw('line', { x1: 0, x2: 100, y1: y(line.line), y2: y(line.line), class: `limit limit-${line.color}` },
      draw('title', {}, `line of ${line.color.toUpperCase()}: ${line.line}`)));
  }
  for (const run of runs(points)) {
    plot.append(draw('polygon', { class: 'band', points: [...run.map((point) => spot(point, point.high)), ...run.toReversed().map((point) => spot(point, point.low))].join(' ') }));
    const [only] = run;
    const drawn = run.length > 1 ? run.map((point) => spot(point, point.last)).join(' ')
      : `${(x(only.at) - 0.4).toFixed(2)},${y(only.last).toFixed(2)} ${(x(only.at) + 0.4).toFixed(2)},${y(only.last).toFixed(2)}`;
    plot.append(draw('polyline', { class: 'trace', points: drawn }));
  }
  for (const point of points.filter((point) => point.status !== 'valid')) {
    plot.append(draw('rect', { class: 'odd', x: (x(point.at) - 0.35).toFixed(2), width: 0.7, y: 94, height: 6 }, draw('title', {}, `${date(point.at)}: ${text(point.status, 20)}`)));
  }
  const last = known.at(-1);
  const low = shownAs(name, Math.min(...known.map((point) => point.low)));
  const high = shownAs(name, Math.max(...known.map((point) => point.high)));
  const words = low === high ? `always ${low}` : `${low} to ${high}, last ${shownAs(name, last.last)}`;
  plot.setAttribute('aria-label', `${name}: ${words}.`);
  return { plot, words };
}

/** Values on days that follow each other are joined; a day without one is a gap. */
function runs(points) {
  const found = [];
  let open = null, before = null;
  for (const point of points) {
    const whole = point.last !== null;
    if (whole && open !== null && point.at - before <= 2 * DAY) open.push(point);
    else if (whole) found.push(open = [point]);
    else open = null;
    before = point.at;
  }
  return found;
}

function shownAs(name, value) {
  if (name === 'trust') return value ? 'locked' : 'unlocked';
  if (name === 'forecast') return RISKS[Math.round(value)] ?? rounded(value);
  return rounded(value);
}

function row(name, words, plot) {
  return make('div', { class: 'row' }, make('h3', {}, make('span', {}, name), make('small', {}, words)), plot);
}

function spans(entries, x, from, until, label, noun, name) {
  const inside = entries.map((entry) => ({ ...entry, from: time(entry.from), until: time(entry.until) }))
    .filter((entry) => entry.from !== null && entry.until !== null && entry.until >= from && entry.from <= until);
  if (!inside.length) return null;
  const plot = draw('svg', { class: 'plot spans', role: 'img', 'aria-label': `${label}: ${inside.slice(-10).map((entry) => `${text(entry.what, 80)} from ${utc(entry.from)} to ${utc(entry.until)}`).join('; ')}.` });
  for (const entry of inside) {
    plot.append(box(x, Math.max(entry.from, from), Math.min(entry.until, until), 100, name, `${text(entry.what, 80)} from ${utc(entry.from)} to ${utc(entry.until)}`));
  }
  return row(label, many(inside.length, noun), plot);
}

function axis(from, until) {
  const steps = 4;
  const labels = Array.from({ length: steps + 1 }, (_, step) => from + ((until - from) * step) / steps);
  return make('div', { class: 'axis', 'aria-hidden': 'true' }, make('ol', {}, ...labels.map((when) =>
    make('li', {}, new Date(when).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })))));
}

function legend() {
  const entry = (name, words) => make('li', {}, make('i', { class: name }), words);
  return make('ul', { class: 'legend', 'aria-hidden': 'true' }, entry('red', 'RED, highest'), entry('yellow', 'between'), entry('green', 'GREEN, lowest'),
    entry('', 'no evaluation for over 26 h'), entry('line-red', 'line of RED'), entry('line-yellow', 'line of YELLOW'));
}

function timeline(verdict, held, now) {
  const { data } = held;
  if (!data) return show('timeline', make('p', { class: 'quiet' }, ...prose(held.why)));
  // To the minute: what is drawn stays the same between two refreshes.
  const until = Math.ceil(now / (10 * MINUTE)) * 10 * MINUTE, from = until - DAYS * DAY;
  const x = scale(from, until);
  const missing = gaps(data, from, until);
  const turns = stretches(data, until).filter((turn) => turn.at >= from);
  const waived = spans(objects(data.waived).map((entry) => ({ what: own(entry, 'code'), from: own(entry, 'from'), until: own(entry, 'until') })), x, from, until, 'Waivers', 'waiver', 'span');
  const frozen = spans(objects(data.freezes).map((entry) => ({ what: own(entry, 'name'), from: own(entry, 'from'), until: own(entry, 'until') })), x, from, until, 'Freeze windows', 'window', 'frost');
  const complete = time(data.complete_from);
  return show('timeline', legend(), make('div', { class: 'rows' },
    row('Level', many(turns.length, 'change'), levels(data, x, from, until, missing)),
    ...objects(data.signals).slice(0, 60).map((signal) => {
      const { plot, words } = trace(signal, x, from, verdict.state);
      return row(text(own(signal, 'name'), 80), words, plot);
    }),
    waived, frozen, axis(from, until)),
  changes(turns, complete));
}

function changes(turns, complete) {
  if (!turns.length) return null;
  const rows = turns.slice(-60).toReversed().map((turn) => make('tr', {},
    make('td', {}, moment(turn.at)), make('td', {}, chip(turn.level)),
    make('td', {}, turn.reasons.length ? turn.reasons.slice(0, 8).map((code) => text(code, 80)).join(', ') : 'no trigger')));
  const older = complete === null ? null : make('p', { class: 'quiet' }, ...prose(`Before ${utc(complete)} a day shows the gravest level that it saw and the one that it ended with, so that the file stays small; \`policy-orchestrator history\` has all.`));
  return make('details', {}, make('summary', {}, 'Every change as a table'),
    make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Changes of the level' },
      make('table', {}, make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'When'), make('th', { scope: 'col' }, 'Level'), make('th', { scope: 'col' }, 'Reasons'))),
        make('tbody', {}, ...rows))), older);
}

// ---- responses, record ------------------------------------------------------------------------

const KINDS = {
  preview: ['◇', 'Preview'], apply: ['▶', 'Applied'], failed: ['✕', 'Apply failed'], blocked: ['■', 'Blocked'],
  undo: ['↶', 'Undone'], interrupted: ['!', 'Cut off'],
};

function response(entry, now) {
  const kind = text(own(entry, 'kind'), 20);
  const [shape, word] = own(KINDS, kind) ?? ['?', kind];
  const when = time(own(entry, 'at'));
  const level = own(entry, 'level');
  const gates = list(own(entry, 'gates')).slice(0, 12).map((gate) => text(gate, 80)).filter((gate) => gate !== '—');
  const planned = number(own(entry, 'actions')), ended = number(own(entry, 'succeeded'));
  const counted = kind === 'preview' ? (planned === null ? null : `would run ${many(planned, 'action')}`)
    : planned === null || ended === null || kind === 'blocked' ? null : `${ended} of ${many(planned, 'action')} ended well`;
  return make('li', {}, make('p', { class: 'line' },
    make('span', { class: 'chip plain' }, make('span', { 'aria-hidden': 'true' }, shape), word),
    level === undefined ? null : chip(level),
    counted === null ? null : make('span', {}, counted),
    when === null ? null : make('span', { class: 'end quiet' }, moment(when), `, ${ago(when, now)}`)),
  gates.length ? make('p', { class: 'quiet' }, kind === 'preview' ? 'An apply would be blocked by: ' : 'Closed: ', make('strong', {}, gates.join(', '))) : null);
}

function responses(held, now) {
  const { data } = held;
  at('responses').closest('section').hidden = !data;
  if (!data) return show('responses');
  const entries = objects(data.responses).slice(0, 30);
  const preview = isObject(data.preview) ? [data.preview] : [];
  const ahead = objects(data.freezes).map((entry) => ({ name: own(entry, 'name'), reason: own(entry, 'reason'), from: time(own(entry, 'from')), until: time(own(entry, 'until')) }))
    .filter((entry) => entry.from !== null && entry.until !== null && entry.until > now);
  const first = ahead.toSorted((one, other) => one.from - other.from)[0];
  const frozen = first ? make('p', { class: 'quiet' }, first.from <= now
    ? `Nothing is applied until ${utc(first.until)}: freeze window ${text(first.name, 80)} (${text(first.reason, 200)}).`
    : `The next freeze window, ${text(first.name, 80)}, begins ${ago(first.from, now)}.`) : null;
  const all = [...preview, ...entries];
  return show('responses', frozen, all.length
    ? make('ul', { class: 'items' }, ...all.map((entry) => response({ ...entry }, now)))
    : quiet('Nothing was previewed, applied or blocked.'));
}

function pair(term, ...words) {
  return make('div', {}, make('dt', {}, term), make('dd', {}, ...words));
}

function record(verdict, held, now) {
  const { state, evaluated } = verdict;
  const { data } = held;
  const journal = own(state, 'journal');
  const pairs = [];
  const lines = number(own(journal, 'seq'));
  if (own(journal, 'broken') === true) {
    pairs.push(pair('Journal', make('span', { class: 'chip red' }, make('span', { 'aria-hidden': 'true' }, '✕'), 'BROKEN'), ...prose(` as of ${utc(evaluated)}: it is not what the decision before had left behind. \`policy-orchestrator audit verify\` says where.`)));
  } else if (lines !== null && evaluated !== undefined) {
    pairs.push(pair('Journal', make('span', { class: 'chip plain' }, make('span', { 'aria-hidden': 'true' }, '✓'), 'whole'), ` as of ${utc(evaluated)}, by its end`));
  } else {
    pairs.push(pair('Journal', 'nobody knows: no state file names its end'));
  }
  if (lines !== null) pairs.push(pair('Lines', `${lines.toLocaleString('en')}, the last one `, make('code', {}, text(own(journal, 'sha256'), 12))));
  const verified = number(own(own(data, 'verified'), 'seq'));
  if (data) {
    pairs.push(pair('Verified in full', verified === null ? 'never, as far as is recorded' : `up to line ${verified.toLocaleString('en')}`));
    const missing = gaps(data, now - DAYS * DAY, now).length;
    pairs.push(pair('Schedule in 90 days', missing ? `${many(missing, 'time')} over ${LATE_HOURS} hours without an evaluation` : `never over ${LATE_HOURS} hours without an evaluation`));
  }
  const next = evaluated === undefined ? null : evaluated + LATE_HOURS * HOUR;
  if (next !== null) {
    pairs.push(pair('Next evaluation', now > next ? `late: it was due by ${utc(next)}` : `due by ${utc(next)}`));
  }
  if (data) {
    const ahead = number(data.ahead) ?? 0;
    if (ahead) pairs.push(pair('Clock', `${many(ahead, 'decision')} dated over a day ahead left out: a clock was wrong`));
    pairs.push(overrides(data, now), ...safeguards(data, now));
  }
  show('record', make('dl', { class: 'pairs' }, ...pairs));
}

const state = (shape, word, color = 'plain') => make('span', { class: `chip ${color}` }, make('span', { 'aria-hidden': 'true' }, shape), word);

/** Overrides that may be used now; one that is over by this machine's clock is not shown. */
function overrides(data, now) {
  const open = objects(data.overrides).map((entry) => ({ what: own(entry, 'operation'), until: time(own(entry, 'until')) }))
    .filter((entry) => entry.until !== null && entry.until > now).slice(0, 20);
  if (!open.length) return pair('Overrides', state('✓', 'none'), ' in force');
  return pair('Overrides', state('!', `${open.length} in force`, 'yellow'),
    make('ul', {}, ...open.map((entry) => make('li', {}, make('code', {}, text(entry.what, 120)), ' until ', moment(entry.until), ', once'))));
}

const KILL = { off: ['✓', 'off', 'plain'], on: ['✕', 'ON', 'red'], unreadable: ['✕', 'ON: its file can’t be read', 'red'] };
const BRAKE = {
  off: ['✓', 'off', 'plain'], engaged: ['✕', 'ENGAGED', 'red'],
  missing: ['!', 'engaged: it has no file', 'yellow'], unreadable: ['✕', 'ENGAGED: its file can’t be read', 'red'],
};

function safeguards(data, now) {
  const seen = own(data, 'safeguards'), when = time(own(seen, 'at'));
  if (when === null) return [pair('Brake and kill switch', 'nobody looked yet')];
  const word = (words, what) => state(...(own(words, own(seen, what)) ?? ['?', 'nobody knows', 'unknown']));
  const asOf = ` as of ${ago(when, now)}`;
  return [pair('Safety brake', word(BRAKE, 'brake'), asOf), pair('Kill switch', word(KILL, 'kill_switch'), asOf)];
}

// ---- performance ------------------------------------------------------------------------------

function took(micros) {
  return micros < 10000 ? `${rounded(micros / 1000)} ms` : `${Math.round(micros / 1000).toLocaleString('en')} ms`;
}

/** How long evaluations took, how many there are a day, and how many were not GREEN. */
function performance90(held, now) {
  const { data } = held;
  at('policy_as_code_performance').hidden = !data;
  if (!data) return show('performance');
  const times = list(data.took_us).map(number).filter((micros) => micros !== null && micros >= 0);
  const sorted = times.toSorted((one, other) => one - other);
  const days = list(data.evaluations).filter((day) => Array.isArray(day) && /^\d{4}-\d{2}-\d{2}$/.test(day[0]))
    .map((day) => ({ at: Date.parse(`${day[0]}T00:00:00Z`), count: number(day[1]) ?? 0, other: number(day[2]) ?? 0 }))
    .filter((day) => day.at > now - DAYS * DAY && day.at <= now);
  const all = days.reduce((sum, day) => sum + day.count, 0), other = days.reduce((sum, day) => sum + day.other, 0);
  const first = days.length ? days[0].at : now;
  const length = Math.max(1, Math.round((Math.floor(now / DAY) * DAY - first) / DAY) + 1);
  const last = days.filter((day) => day.at > now - 7 * DAY);
  const recent = last.reduce((sum, day) => sum + day.count, 0), waiting = last.reduce((sum, day) => sum + day.other, 0);
  const share = (part, whole) => (whole ? `${rounded(Math.round((part / whole) * 1000) / 10)} %` : '—');
  return show('performance', make('dl', { class: 'pairs' },
    pair('Evaluation time', sorted.length ? `${took(sorted[Math.floor((sorted.length - 1) / 2)])} in the middle, ${took(sorted.at(-1))} at most, of the last ${sorted.length}` : 'not measured yet'),
    pair('Last evaluation', times.length ? took(times.at(-1)) : '—'),
    pair('Evaluations a day', all ? `${rounded(Math.round((all / length) * 10) / 10)}, ${all.toLocaleString('en')} in ${many(length, 'day')}` : 'none in 90 days'),
    pair('Not GREEN', all ? `${share(other, all)} of the evaluations of ${many(length, 'day')}, ${share(waiting, recent)} of the last 7` : '—')));
}

function notices(verdict, held) {
  const found = [];
  if (held.data && verdict.state && !fits(verdict.state, held.data)) {
    found.push('History and responses are from another run than the state above: the two files don’t name the same last line of the journal. `policy-orchestrator portal data --rebuild` makes them agree.');
  }
  if (verdict.grey === null && own(verdict.state, 'staged') === true) {
    found.push('A version of the policy is staged: it is tried beside the one that decides.');
  }
  const branch = own(verdict.state, 'fix_branch');
  if (typeof branch === 'string') found.push(`The last evaluation failed; its diagnostics are on the branch ${text(branch, 120).replaceAll('`', '’')}.`);
  show('notices', ...found.map((words) => make('p', { class: 'card notice' }, ...prose(words))));
}

// ---- the page ---------------------------------------------------------------------------------

function render(stateFile, dataFile, now) {
  const verdict = judge(stateFile, now);
  const held = usable(dataFile);
  status(verdict, now);
  notices(verdict, held);
  causes(verdict);
  timeline(verdict, held, now);
  signals(verdict, now);
  responses(held, now);
  record(verdict, held, now);
  performance90(held, now);
  say('refresh', `Checked ${new Date(now).toISOString().slice(11, 19)} UTC, again every ${REFRESH / 1000} s`);
  performance.mark('drawn');
  document.documentElement.dataset.drawn = String(Number(document.documentElement.dataset.drawn ?? 0) + 1);
}

let reading = false;

async function refresh() {
  if (reading) return;
  reading = true;
  try {
    const [state, data] = await Promise.all([read(STATE), read(DATA)]);
    const now = Date.now();
    try {
      render(state, data, now);
    } catch (error) {
      // Whatever can't be drawn must not leave an older level standing.
      console.error(error);
      render({ problem: 'this page failed to draw it' }, { problem: 'this page failed to draw it' }, now);
    }
  } finally {
    reading = false;
  }
}

function themes() {
  const key = 'policy-orchestrator-theme';
  const use = (name) => {
    if (name === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
  };
  let kept = null;
  try { kept = localStorage.getItem(key); } catch { /* a page without storage follows the system */ }
  for (const input of document.querySelectorAll('input[name="theme"]')) {
    input.checked = input.value === (['light', 'dark'].includes(kept) ? kept : 'auto');
    if (input.checked) use(input.value);
    input.addEventListener('change', () => {
      use(input.value);
      try { localStorage.setItem(key, input.value); } catch { /* for this visit only */ }
    });
  }
}

themes();
refresh();
setInterval(refresh, REFRESH);
document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
