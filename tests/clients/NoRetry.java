// Asks a guarded server as common Java clients do. Arguments: host:port of a server that refuses with 429, of one that
// refuses with 503. Prints one JSON line for each case; the server counts the tries.

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.retry.Retry;
import io.github.resilience4j.retry.RetryConfig;
import io.grpc.CallOptions;
import io.grpc.ClientInterceptors;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;

public class NoRetry {
    public static void main(String[] servers) throws Exception {
        grpc(servers[1]);
        http("shed", servers[0], "r4j");
        http("fails", servers[1], "r4j-fails");
        System.exit(0);
    }

    // A policy that retries even RESOURCE_EXHAUSTED: only the push-back can stop it.
    static void grpc(String server) {
        Map<String, ?> policy = Map.of("maxAttempts", 4.0, "initialBackoff", "0.05s", "maxBackoff", "0.2s",
            "backoffMultiplier", 2.0, "retryableStatusCodes", List.of("UNAVAILABLE", "RESOURCE_EXHAUSTED"));
        ManagedChannel channel = ManagedChannelBuilder.forTarget(server).usePlaintext().enableRetry()
            .defaultServiceConfig(Map.of("methodConfig", List.of(Map.of("name", List.of(Map.of()), "retryPolicy", policy))))
            .build();
        Metadata headers = new Metadata();
        headers.put(Metadata.Key.of("stopbank-criticality", Metadata.ASCII_STRING_MARSHALLER), "SHEDDABLE");
        for (int number = 0; number < 20; number++) {
            call(channel, headers, "shed", "java-" + number);
        }
        call(channel, headers, "purged", "java-purged");
        boolean well = channel.getState(false) == ConnectivityState.READY;
        call(channel, headers, "fails", "java-fails");
        System.out.println("{\"case\":\"java-channel\",\"well\":" + well + "}");
        channel.shutdownNow();
    }

    static void call(ManagedChannel channel, Metadata headers, String method, String name) {
        MethodDescriptor<byte[], byte[]> descriptor = MethodDescriptor.<byte[], byte[]>newBuilder()
            .setType(MethodDescriptor.MethodType.UNARY).setFullMethodName("no.Retry/" + method + "-" + name)
            .setRequestMarshaller(new Bytes()).setResponseMarshaller(new Bytes()).build();
        String code = "OK";
        try {
            ClientCalls.blockingUnaryCall(
                ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers)),
                descriptor, CallOptions.DEFAULT, new byte[0]);
        } catch (StatusRuntimeException error) {
            code = error.getStatus().getCode().name();
        }
        System.out.println("{\"case\":\"" + name + "\",\"code\":\"" + code + "\"}");
    }

    // resilience4j as it is set for HTTP: what the server answers with 5xx is tried again and counts against it.
    static void http(String path, String server, String name) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        RetryConfig retrying = RetryConfig.<HttpResponse<String>>custom().maxAttempts(3)
            .waitDuration(Duration.ofMillis(20)).retryOnResult(answer -> answer.statusCode() >= 500).build();
        CircuitBreakerConfig breaking = CircuitBreakerConfig.custom().slidingWindowSize(20).minimumNumberOfCalls(10)
            .failureRateThreshold(50).recordResult(answer -> ((HttpResponse<?>) answer).statusCode() >= 500).build();
        Retry retry = Retry.of(name, retrying);
        CircuitBreaker breaker = CircuitBreaker.of(name, breaking);
        for (int number = 0; number < 20; number++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + server + "/" + path + "/" + name))
                .header("stopbank-criticality", "SHEDDABLE").version(HttpClient.Version.HTTP_1_1).build();
            try {
                retry.executeCallable(CircuitBreaker.decorateCallable(breaker,
                    () -> client.send(request, HttpResponse.BodyHandlers.ofString())));
            } catch (Exception refusedByTheBreaker) {
                // counted by its state
            }
        }
        System.out.println("{\"case\":\"" + name + "\",\"breaker\":\"" + breaker.getState() + "\",\"failed\":"
            + breaker.getMetrics().getNumberOfFailedCalls() + "}");
    }

    static class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (java.io.IOException error) {
                throw new IllegalStateException(error);
            }
        }
    }
}
