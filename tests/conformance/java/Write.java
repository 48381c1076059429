// Writes the first records of a file to a topic by Kafka's Java producer, and ends when each one is
// acknowledged.
//
//   java Write ADDRESS TOPIC CODEC FILE COUNT
//
// The file has the lines of flights.py. Every record carries its own timestamp and headers. Those
// with a key go where the producer's partitioner puts them, those without to the partitions in
// turn: so that two brokers are given the same data.

import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringSerializer;

public final class Write {
    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        int count = Integer.parseInt(arguments[4]);
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "compression.type", arguments[2],
            "linger.ms", 20,
            "key.serializer", StringSerializer.class.getName(),
            "value.serializer", StringSerializer.class.getName());
        AtomicInteger acknowledged = new AtomicInteger();
        AtomicReference<Exception> refusal = new AtomicReference<>();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings);
             BufferedReader lines = Files.newBufferedReader(Path.of(arguments[3]))) {
            int partitions = producer.partitionsFor(topic).size();
            for (int row = 0; row < count; row++) {
                producer.send(record(topic, row % partitions, lines.readLine()), (place, error) -> {
                    if (error == null) {
                        acknowledged.incrementAndGet();
                    } else {
                        refusal.compareAndSet(null, error);
                    }
                });
            }
        }
        if (refusal.get() != null || acknowledged.get() != count) {
            throw new IllegalStateException(acknowledged + " of " + count, refusal.get());
        }
    }

    private static ProducerRecord<String, String> record(String topic, int turn, String line) {
        String[] fields = line.split("\t", -1);
        String key = fields[3].isEmpty() ? null : fields[3];
        Integer partition = key == null ? turn : null;
        List<Header> headers = List.of(header("carrier", fields[1]), header("origin", fields[2]));
        long timestamp = Long.parseLong(fields[0]);
        return new ProducerRecord<>(topic, partition, timestamp, key, fields[4], headers);
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8));
    }
}
