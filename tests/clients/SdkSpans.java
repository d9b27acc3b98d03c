// Two processes under OpenTelemetry's Java agent, which instruments the JDK's own HTTP server and client and sends over
// OTLP/HTTP: a shop that asks a stock service, so many times; every twentieth call fails.
//
//     java -cp CLASSES:…/opentelemetry-javaagent-….jar SdkSpans ENDPOINT CALLS
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

public class SdkSpans {
    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "stock" -> stock();
            case "shop" -> shop(arguments[1]);
            default -> drive(arguments[0], Integer.parseInt(arguments[1]));
        }
    }

    /** Starts both and asks the shop from outside, with bare sockets that nobody instruments. */
    static void drive(String endpoint, int calls) throws Exception {
        var stock = start(endpoint, "stock");
        var shop = start(endpoint, "shop", port(stock));
        var shopPort = Integer.parseInt(port(shop));
        for (int number = 0; number < calls; number++) {
            try (var socket = new Socket(InetAddress.getLoopbackAddress(), shopPort)) {
                var request = "GET /basket?item=" + number + " HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
                socket.getOutputStream().write(request.getBytes());
                socket.getInputStream().readAllBytes();
            }
        }
        for (var process : List.of(shop, stock)) {
            process.getOutputStream().close();
            if (process.waitFor() != 0) throw new IllegalStateException("a service ended badly");
        }
        System.out.println(calls * 3);
    }

    static Process start(String endpoint, String... arguments) throws IOException {
        var path = System.getProperty("java.class.path");
        var agent = Stream.of(path.split(File.pathSeparator)).filter(jar -> jar.contains("opentelemetry-javaagent")).findFirst().orElseThrow();
        var java = ProcessHandle.current().info().command().orElse("java");
        var command = new ArrayList<>(List.of(java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
        command.addAll(List.of("-javaagent:" + agent, "-cp", path, "SdkSpans"));
        command.addAll(List.of(arguments));
        var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        var environment = builder.environment();
        environment.put("OTEL_SERVICE_NAME", "java-" + arguments[0]);
        environment.put("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        environment.put("OTEL_METRICS_EXPORTER", "none");
        environment.put("OTEL_LOGS_EXPORTER", "none");
        return builder.start();
    }

    static String port(Process process) throws IOException {
        return new BufferedReader(new InputStreamReader(process.getInputStream())).readLine();
    }

    static void stock() throws IOException {
        serve("/items", exchange -> {
            var path = exchange.getRequestURI().getPath();
            var number = Integer.parseInt(path.substring(path.lastIndexOf('/') + 1));
            answer(exchange, number % 20 == 0 ? 500 : 200);
        });
    }

    static void shop(String stockPort) throws IOException {
        var client = HttpClient.newHttpClient();
        serve("/basket", exchange -> {
            var number = exchange.getRequestURI().getQuery().replace("item=", "");
            var uri = URI.create("http://127.0.0.1:" + stockPort + "/items/" + number);
            try {
                client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
            } catch (InterruptedException interrupted) {
                throw new IOException(interrupted);
            }
            answer(exchange, 200);
        });
    }

    interface Handler {
        void handle(HttpExchange exchange) throws IOException;
    }

    /** Serves, tells its port, and ends when its input does; its last spans leave with the agent's own shutdown hook. */
    static void serve(String path, Handler handler) throws IOException {
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext(path, handler::handle);
        server.start();
        System.out.println(server.getAddress().getPort());
        System.in.readAllBytes();
        System.exit(0);
    }

    static void answer(HttpExchange exchange, int status) throws IOException {
        exchange.sendResponseHeaders(status, -1);
        exchange.close();
    }
}
