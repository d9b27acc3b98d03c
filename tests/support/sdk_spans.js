// Sends spans with the real OpenTelemetry SDK of JavaScript over OTLP/HTTP: a shop that asks a stock service over real HTTP, both
// instrumented by the SDK's own HTTP instrumentation, so many times; every twentieth call fails.
//
//     sdk_spans.js ENDPOINT CALLS
const { fork } = require('node:child_process');
const { context, trace, SpanKind } = require('@opentelemetry/api');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');

const [endpoint, calls, role = 'shop'] = process.argv.slice(2);

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': `node-${role}`, 'service.version': '2.0.0', 'service.instance.id': `${role}-0` }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }), { maxQueueSize: 10000 })],
});
provider.register();
registerInstrumentations({ instrumentations: [new HttpInstrumentation({ ignoreOutgoingRequestHook: (to) => to.path === '/v1/traces' })] });
const http = require('node:http');

function stock() {
  const server = http.createServer((request, response) => {
    response.statusCode = Number(request.url.split('/').pop()) % 20 === 0 ? 500 : 200;
    response.end('{"left": 3}');
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
  process.on('message', async () => {
    await provider.shutdown();
    process.exit(0);
  });
}

const ask = (port, number) => new Promise((resolve, reject) => {
  http.get({ host: '127.0.0.1', port, path: `/items/${number}`, agent: false }, (response) => {
    response.resume();
    response.on('end', resolve);
  }).on('error', reject);
});

function shop() {
  const child = fork(__filename, [endpoint, calls, 'stock']);
  child.on('message', async (port) => {
    const tracer = trace.getTracer('test');
    for (let number = 0; number < Number(calls); number += 1) {
      const request = tracer.startSpan('GET /basket', { kind: SpanKind.SERVER, attributes: { 'http.route': '/basket' } });
      await context.with(trace.setSpan(context.active(), request), () => ask(port, number));
      request.end();
    }
    child.send('done');
    await provider.shutdown();
  });
  child.on('exit', () => {
    console.log(Number(calls) * 3);
    process.exit(0);
  });
}

if (role === 'stock') stock(); else shop();
