// Ticks the steps while the page is open. Everything that it shows is in the page
// already, as it was when the page was loaded; it needs nothing but fetch.
(function () {
  'use strict';
  var main = document.querySelector('main');
  if (!main || !window.fetch || !window.Promise) return;

  // An iPad calls itself a Mac, but no Mac has a touch screen.
  if (main.dataset.platform === 'macos' && navigator.maxTouchPoints > 1 && !/[?&]device=/.test(location.search)) {
    location.replace('/?device=ios' + location.hash);
    return;
  }

  var every = 3000, patience = 5000, most = 15 * 60 * 1000;
  var name = 'setup.telltale', stages = ['proxy', 'certificate', 'app'];
  var recorded = main.dataset.recorded === 'yes';
  var done = { proxy: stageDone('proxy'), certificate: stageDone('certificate'), app: stageDone('app') };
  var tested = {};         // what this page found out itself
  var started = Date.now(), timer = 0, busy = false, silent = 0;
  var status = document.getElementById('status'), again = document.getElementById('again');
  var seen = document.getElementById('seen'), seenLast = '';

  function stageDone(stage) {
    return document.getElementById('stage-' + stage).classList.contains('done');
  }

  // ask resolves to the JSON at a URL, to undefined when there is none in time.
  function ask(url) {
    var stop = window.AbortController ? new AbortController() : null;
    var limit = setTimeout(function () { if (stop) stop.abort(); }, patience);
    return fetch(url, { credentials: 'omit', cache: 'no-store', redirect: 'error', signal: stop ? stop.signal : undefined })
      .then(function (response) { return response.ok ? response.json() : undefined; })
      .catch(function () { return undefined; })
      .then(function (answer) { clearTimeout(limit); return answer; });
  }

  // here resolves to whether this telltale, and no other, answers at a URL.
  function here(url) {
    return ask(url).then(function (answer) { return !!answer && answer.authority === main.dataset.authority; });
  }

  function testProxy() {
    if (tested.proxy) return Promise.resolve(true);
    if (location.protocol === 'https:') return Promise.resolve(true); // reached by its name, as below
    return here('http://' + name + '/here');
  }

  function testCertificate(proxied) {
    if (tested.certificate || location.protocol === 'https:') return Promise.resolve(true);
    return proxied ? here('https://' + name + '/here') : Promise.resolve(undefined);
  }

  function round() {
    timer = 0;
    if (busy || document.hidden) return;
    if (Date.now() - started > most) {
      again.hidden = false;
      again.firstElementChild.textContent = main.dataset.stopped;
      return;
    }
    busy = true;
    testProxy().then(function (proxied) {
      tested.proxy = proxied;
      return testCertificate(proxied);
    }).then(function (trusted) {
      tested.certificate = trusted;
      return recorded ? ask('/progress.json') : undefined;
    }).then(function (progress) {
      silent = recorded && !progress ? silent + 1 : 0;
      show(progress || {});
    }).catch(function () { /* the next round may do better */ }).then(function () {
      busy = false;
      if (!finished()) timer = setTimeout(round, every);
    });
  }

  function finished() { return done.proxy && done.certificate && (done.app || !recorded); }

  function show(progress) {
    done.proxy = tested.proxy === undefined ? done.proxy : tested.proxy;
    done.certificate = tested.certificate === undefined ? !!progress.trusted : tested.certificate;
    if (progress.app !== undefined) done.app = progress.app;
    var next = stages.filter(function (stage) { return !done[stage]; })[0] || 'done';
    stages.forEach(function (stage) { mark(stage, done[stage], stage === next); });
    var text = silent > 1 ? main.dataset.silent : status.dataset[next];
    if (status.textContent !== text) status.textContent = text;
    if (progress.steps) list(progress.steps);
  }

  // mark shows the state of a stage. One that was just done is folded, so that
  // what comes next is in view; a person may open it again.
  function mark(stage, isDone, isNext) {
    var li = document.getElementById('stage-' + stage);
    var was = li.classList.contains('done'), state = isDone ? 'done' : isNext ? 'now' : 'later';
    li.className = 'stage ' + state;
    var track = document.getElementById('track-' + stage);
    track.className = state;
    if (isNext) track.firstElementChild.setAttribute('aria-current', 'step');
    else track.firstElementChild.removeAttribute('aria-current');
    li.querySelector('.state').textContent = isDone ? 'Done' : isNext ? 'Now' : '';
    if (was !== isDone) li.querySelector('details').open = !isDone;
  }

  function list(steps) {
    var now = JSON.stringify(steps);
    if (!seen || now === seenLast) return;
    seenLast = now;
    seen.textContent = '';
    steps.forEach(function (step) {
      var li = element('li', step.state, '');
      li.appendChild(element('span', 'text', step.text));
      li.appendChild(element('span', 'word', step.state));
      if (step.advice) li.appendChild(element('p', 'why', step.advice));
      seen.appendChild(li);
    });
  }

  function element(tag, className, text) {
    var e = document.createElement(tag);
    e.className = className;
    e.textContent = text;
    return e;
  }

  // A person comes back from the settings: what was true may not be any more.
  document.addEventListener('visibilitychange', function () {
    if (document.hidden) return;
    tested = {};
    if (timer) clearTimeout(timer);
    round();
  });
  again.hidden = true;
  round();
})();
