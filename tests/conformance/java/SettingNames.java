// Prints the name of every setting that Apache Kafka's own classes list, `broker NAME` or
// `topic NAME` a line, in alphabetical order.

import java.util.TreeSet;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

public final class SettingNames {
    public static void main(String[] arguments) {
        for (String name : new TreeSet<>(AbstractKafkaConfig.CONFIG_DEF.names())) {
            System.out.println("broker " + name);
        }
        for (String name : new TreeSet<>(LogConfig.configNames())) {
            System.out.println("topic " + name);
        }
    }
}
