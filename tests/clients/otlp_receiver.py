"""Takes OTLP logs and traces as the official protobuf definition reads them, strictly: JSON from Outwall, protobuf from collectors.
Prints a line for each record: the body of a log record, and of a span its ids, name and attributes as JSON."""
import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


def logs(request):
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                assert record.time_unix_nano > 0 and record.severity_number > 0
                yield record.body.string_value


def spans(request):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8, span
                assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
                attributes = {one.key: one.value for one in span.attributes}
                yield json.dumps({
                    "id": attributes["log.record.uid"].string_value,
                    "trace": span.trace_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "status": attributes["http.response.status_code"].int_value,
                })


KINDS = {
    "/v1/logs": (ExportLogsServiceRequest, ExportLogsServiceResponse, logs),
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse, spans),
}


class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        request, response, lines = KINDS[self.path]
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        kind = self.headers["content-type"]
        if kind == "application/json":
            parsed = json_format.Parse(body, request())
            answer = json_format.MessageToJson(response()).encode()
        else:
            assert kind == "application/x-protobuf", kind
            parsed, answer = request.FromString(body), response().SerializeToString()
        for line in lines(parsed):
            print(line, flush=True)
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Collector).serve_forever()
