// Asks a broker for offsets by time, and for the special ones, of all partitions of some topics,
// and prints every answer: for a test that holds two brokers' answers against each other.
//
//   java LookUp ADDRESS TOPICS TIMES
//
// Topics and times are lists with commas. Each line: topic, partition, question, offset, timestamp
// and leader epoch of the answer, with tabs between; `-` where the answer has none.

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class LookUp {
    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "key.deserializer", ByteArrayDeserializer.class.getName(),
            "value.deserializer", ByteArrayDeserializer.class.getName());
        List<Long> times = new ArrayList<>();
        for (String time : arguments[2].split(",")) {
            times.add(Long.parseLong(time));
        }
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings);
             Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            for (String topic : arguments[1].split(",")) {
                List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(found -> new TopicPartition(topic, found.partition()))
                    .sorted(Comparator.comparingInt(TopicPartition::partition))
                    .toList();
                askByConsumer(consumer, partitions, times);
                askByAdmin(admin, partitions);
            }
        }
    }

    private static void askByConsumer(
            KafkaConsumer<byte[], byte[]> consumer,
            List<TopicPartition> partitions,
            List<Long> times) {
        for (long time : times) {
            Map<TopicPartition, Long> question = new HashMap<>();
            partitions.forEach(partition -> question.put(partition, time));
            Map<TopicPartition, OffsetAndTimestamp> answers = consumer.offsetsForTimes(question);
            for (TopicPartition partition : partitions) {
                OffsetAndTimestamp found = answers.get(partition);
                Object[] answer = found == null
                    ? new Object[] {"-", "-", "-"}
                    : new Object[] {found.offset(), found.timestamp(), epoch(found)};
                print(partition, "at " + time, answer);
            }
        }
    }

    private static Object epoch(OffsetAndTimestamp found) {
        return found.leaderEpoch().<Object>map(epoch -> epoch).orElse("-");
    }

    private static void askByAdmin(Admin admin, List<TopicPartition> partitions)
            throws InterruptedException {
        Map<String, OffsetSpec> questions = new LinkedHashMap<>();
        questions.put("earliest", OffsetSpec.earliest());
        questions.put("latest", OffsetSpec.latest());
        questions.put("max timestamp", OffsetSpec.maxTimestamp());
        questions.put("earliest local", OffsetSpec.earliestLocal());
        questions.put("latest tiered", OffsetSpec.latestTiered());
        questions.put("earliest pending upload", OffsetSpec.earliestPendingUpload());
        for (Map.Entry<String, OffsetSpec> question : questions.entrySet()) {
            for (IsolationLevel level : IsolationLevel.values()) {
                Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
                partitions.forEach(partition -> asked.put(partition, question.getValue()));
                ListOffsetsResult answers = admin.listOffsets(asked, new ListOffsetsOptions(level));
                for (TopicPartition partition : partitions) {
                    print(partition, question.getKey() + " " + level, answer(answers, partition));
                }
            }
        }
    }

    private static Object[] answer(ListOffsetsResult answers, TopicPartition partition)
            throws InterruptedException {
        try {
            var found = answers.partitionResult(partition).get();
            Object epoch = found.leaderEpoch().<Object>map(number -> number).orElse("-");
            return new Object[] {found.offset(), found.timestamp(), epoch};
        } catch (ExecutionException refused) {
            return new Object[] {refused.getCause(), "-", "-"};
        }
    }

    private static void print(TopicPartition partition, String question, Object[] answer) {
        System.out.printf("%s\t%d\t%s\t%s\t%s\t%s%n",
            partition.topic(), partition.partition(), question, answer[0], answer[1], answer[2]);
    }
}
