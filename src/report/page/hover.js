(function () {
  var svg = document.querySelector('svg.chart');
  var data = document.getElementById('readings');
  var out = document.getElementById('reading');
  if (!svg || !data || !out) return;
  var rows = JSON.parse(data.textContent);
  var cursor = svg.querySelector('.cursor');
  var d = svg.dataset, left = +d.left, right = +d.right, from = +d.from, to = +d.to;
  svg.addEventListener('pointermove', function (event) {
    var box = svg.getBoundingClientRect();
    var x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    var time = from + (x - left) / (right - left) * (to - from);
    if (x < left || x > right || !rows.length) return;
    var best = rows.reduce(function (a, b) {
      return Math.abs(b[0] - time) < Math.abs(a[0] - time) ? b : a;
    });
    out.textContent = best[0].toFixed(2) + ' s   ' + best[1].join('   ');
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    cursor.setAttribute('y2', svg.viewBox.baseVal.height - 30);
    cursor.style.visibility = 'visible';
  });
  svg.addEventListener('pointerleave', function () {
    cursor.style.visibility = 'hidden';
    out.textContent = '';
  });
})();
