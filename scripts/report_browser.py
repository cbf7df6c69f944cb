#!/usr/bin/env python3
"""Opens HTML files in headless Chromium and checks what a reader relies on. Standard library only.

usage: report_browser.py CHROMIUM PICTURES_DIR FILE...

Talks the DevTools protocol over two pipes (--remote-debugging-pipe): messages of JSON, each ended by a zero byte.
Checked in each file: no console message, no exception, no request but the file itself; no horizontal scroll of the page at 360 and at
1280 px; every text against the ground behind it at 4.5 to 1 or better, light, dark and on paper; on A4 nothing wider than the sheet; a PDF
with at least one page.
"""

import base64
import json
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

ANSWER_SECS = 30

# Walks every text on the page: its colour, and the first ground behind it that is not transparent. WCAG 2.1, 1.4.3.
CONTRAST = r"""
(() => {
  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const part = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let worst = {ratio: 21, text: ''}, texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, box = node.parentElement;
    if (!node.textContent.trim() || box.closest('svg,script,style')) continue;
    texts += 1;
    const [a, b] = [light(parse(getComputedStyle(box).color)), light(ground(box))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = {ratio, text: node.textContent.trim().slice(0, 40)};
  }
  return {worst, texts};
})()
"""

# What is wider than the page. Wrappers that scroll by themselves hide what they hold, except on paper.
TOO_WIDE = r"""
(() => {
  const width = document.documentElement.clientWidth;
  const paper = matchMedia('print').matches;
  const wide = [...document.querySelectorAll('body *')].filter(node =>
    !node.closest('svg') && node.getBoundingClientRect().right > width + 1 && (paper || !node.closest('.wide')));
  return {
    scroll: document.documentElement.scrollWidth, width,
    wide: wide.slice(0, 3).map(node => node.tagName + ' ' + (node.textContent || '').trim().slice(0, 40)),
  };
})()
"""


class Browser:
    def __init__(self, program, profile):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def plug():
            # Chromium reads from 3 and writes to 4. First out of the way, since one of the four may be 3 or 4 already.
            to_read, to_write = os.dup(theirs_in), os.dup(theirs_out)
            high_read, high_write = 40, 41
            os.dup2(to_read, high_read)
            os.dup2(to_write, high_write)
            os.dup2(high_read, 3)
            os.dup2(high_write, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
             "--hide-scrollbars", f"--user-data-dir={profile}", "--remote-debugging-pipe"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=plug, close_fds=False)
        os.close(theirs_in)
        os.close(theirs_out)
        self.read_end, self.write_end = ours_in, ours_out
        self.number, self.rest, self.events, self.session = 0, b"", [], None

    def message(self, until):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read_end], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise SystemExit("the browser does not answer")
            part = os.read(self.read_end, 1 << 16)
            if not part:
                raise SystemExit("the browser ended")
            self.rest += part
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def ask(self, method, **params):
        self.number += 1
        call = {"id": self.number, "method": method, "params": params}
        if self.session:
            call["sessionId"] = self.session
        data = json.dumps(call).encode() + b"\0"
        while data:
            data = data[os.write(self.write_end, data):]
        until = time.monotonic() + ANSWER_SECS
        while True:
            found = self.message(until)
            if found.get("id") == self.number:
                if "error" in found:
                    raise SystemExit(f"{method}: {found['error']}")
                return found["result"]
            self.events.append(found)

    def wait_for(self, method):
        until = time.monotonic() + ANSWER_SECS
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message(until))

    def run(self, script):
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in found:
            raise SystemExit(f"script failed: {found['exceptionDetails']}")
        return found["result"]["value"]

    def picture(self, path):
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=False)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def check(browser, path, pictures):
    faults = []
    name = path.stem
    address = path.resolve().as_uri()
    browser.session = None
    page = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Log", "Runtime"):
        browser.ask(f"{domain}.enable")
    browser.events.clear()

    def screen(width, height, scheme, media=""):
        browser.ask("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def fits(what):
        found = browser.run(TOO_WIDE)
        if found["scroll"] > found["width"] or found["wide"]:
            faults.append(f"{what}: wider than the page: {found}")

    def reads(what):
        found = browser.run(CONTRAST)
        if found["texts"] == 0:
            faults.append(f"{what}: no text")
        if found["worst"]["ratio"] < 4.5:
            faults.append(f"{what}: contrast {found['worst']}")
        return found["worst"]["ratio"]

    screen(1280, 1600, "light")
    browser.ask("Page.navigate", url=address)
    browser.wait_for("Page.loadEventFired")
    worst = []
    for width in (360, 1280):
        for scheme in ("light", "dark"):
            screen(width, 1600, scheme)
            fits(f"{width} px {scheme}")
            worst.append(reads(f"{width} px {scheme}"))
            browser.picture(pictures / f"{name}-{width}-{scheme}.png")

    # A4 less the margins is 182 mm: 688 px of 1/96 inch.
    screen(688, 1000, "dark", "print")
    fits("A4")
    worst.append(reads("A4"))
    screen(1280, 1600, "light")
    printed = browser.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True, transferMode="ReturnAsBase64")
    pdf = base64.b64decode(printed["data"])
    (pictures / f"{name}.pdf").write_bytes(pdf)
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    if pages == 0:
        faults.append("the PDF has no page")
    sizes = {tuple(round(float(n)) for n in box.split()) for box in re.findall(rb"/MediaBox\s*\[([\d. ]+)\]", pdf)}
    if not sizes or any(abs(size[2] - 595) > 1 or abs(size[3] - 842) > 1 for size in sizes):
        faults.append(f"not A4: {sizes}")

    requests = 0
    for event in browser.events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            requests += 1
            if params["request"]["url"].split("#")[0] != address:
                faults.append(f"a request: {params['request']['url']}")
        elif method == "Log.entryAdded":
            faults.append(f"the log: {params['entry'].get('text')}")
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            faults.append(f"the console: {json.dumps(params)[:200]}")
    if requests != 1:
        faults.append(f"{requests} requests instead of the one for the file")
    for fault in faults:
        print(f"{path.name}: {fault}")
    if not faults:
        print(f"{path.name}: 1 request, no console message, fits 360 px and A4 ({pages} pages), least contrast {min(worst):.2f}")
    return not faults


def main(program, pictures, *files):
    profile = tempfile.mkdtemp()
    browser = Browser(program, profile)
    try:
        good = [check(browser, pathlib.Path(file), pathlib.Path(pictures)) for file in files]
    finally:
        browser.end()
        shutil.rmtree(profile, ignore_errors=True)
    sys.exit(0 if files and all(good) else 1)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
