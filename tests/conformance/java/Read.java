// Reads a topic from its beginning by Kafka's Java consumer, without a group, and prints every
// record as read.py does.
//
//   java Read ADDRESS TOPIC (end | COUNT)
//
// `end` reads up to the end that each partition has then; COUNT follows the topic until it has seen
// that many records.

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class Read {
    public static void main(String[] arguments) throws IOException {
        String topic = arguments[1];
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "enable.auto.commit", false,
            "max.poll.records", 10_000,
            "key.deserializer", ByteArrayDeserializer.class.getName(),
            "value.deserializer", ByteArrayDeserializer.class.getName());
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings);
             OutputStream out = new BufferedOutputStream(System.out, 1 << 20)) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(found -> new TopicPartition(topic, found.partition()))
                .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            boolean toEnd = arguments[2].equals("end");
            long wanted = toEnd
                ? records(consumer.beginningOffsets(partitions), consumer.endOffsets(partitions))
                : Long.parseLong(arguments[2]);
            for (long seen = 0; seen < wanted; ) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (seen++ < wanted) {
                        print(record, out);
                    }
                }
            }
        }
    }

    /** These topics have no gaps in their offsets. */
    private static long records(Map<TopicPartition, Long> from, Map<TopicPartition, Long> to) {
        return to.entrySet().stream()
            .mapToLong(end -> end.getValue() - from.get(end.getKey()))
            .sum();
    }

    private static void print(ConsumerRecord<byte[], byte[]> record, OutputStream out)
            throws IOException {
        byte[] key = record.key();
        StringBuilder start = new StringBuilder()
            .append(record.partition()).append('\t')
            .append(record.offset()).append('\t')
            .append(record.timestamp()).append('\t')
            .append(key == null ? -1 : key.length).append('\t');
        out.write(start.toString().getBytes(StandardCharsets.UTF_8));
        if (key != null) {
            out.write(key);
        }
        out.write('\t');
        boolean first = true;
        for (Header header : record.headers()) {
            if (!first) {
                out.write(',');
            }
            first = false;
            out.write((header.key() + "=").getBytes(StandardCharsets.UTF_8));
            out.write(header.value());
        }
        out.write('\t');
        out.write(record.value());
        out.write('\n');
    }
}
