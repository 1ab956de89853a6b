/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may
 * not use this file except in compliance with the License. You may obtain
 * a copy of the License at
 *
 *      http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
 * WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
 * License for the specific language governing permissions and limitations
 * under the License.
 */

import com.espertech.esper.common.client.EPCompiled;
import com.espertech.esper.common.client.configuration.Configuration;
import com.espertech.esper.compiler.client.CompilerArguments;
import com.espertech.esper.compiler.client.EPCompiler;
import com.espertech.esper.compiler.client.EPCompilerProvider;
import com.espertech.esper.runtime.client.DeploymentOptions;
import com.espertech.esper.runtime.client.EPEventService;
import com.espertech.esper.runtime.client.EPRuntime;
import com.espertech.esper.runtime.client.EPRuntimeProvider;
import com.espertech.esper.runtime.client.EPStatement;
import com.espertech.esper.runtime.client.UpdateListener;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Esper: one statement a rule.
 *
 * Rules of one shape are compiled once, with parameters, and deployed once
 * each: compiling every rule would take a minute for ten thousand and gain
 * nothing, for the filters of all statements share one index.
 */
final class EsperPeer {

    private final EPRuntime runtime;
    private final EPCompiler compiler = EPCompilerProvider.getCompiler();
    private final CompilerArguments compilation;
    private final Map<String, EPCompiled> shapes = new HashMap<>();
    private final List<String> matched = new ArrayList<>();
    private final UpdateListener listener =
        (added, removed, statement, from) -> matched.add(statement.getName());

    private EsperPeer(String schema) throws Exception {
        Configuration configuration = new Configuration();
        var threading = configuration.getRuntime().getThreading();
        // One thread feeds it, and nobody waits for the time to pass.
        threading.setInternalTimerEnabled(false);
        threading.setListenerDispatchPreserveOrder(false);
        threading.setInsertIntoDispatchPreserveOrder(false);
        configuration.getRuntime().getExecution().setDisableLocking(true);
        runtime = EPRuntimeProvider.getRuntime("peer", configuration);
        compilation = new CompilerArguments(configuration);
        EPCompiled compiled = compiler.compile(schema, compilation);
        compilation.getPath().add(compiled);
        runtime.getDeploymentService().deploy(compiled);
    }

    private void deploy(JsonNode rule) throws Exception {
        String epl = rule.get("epl").asText();
        EPCompiled compiled = shapes.get(epl);
        if (compiled == null) {
            compiled = compiler.compile(epl, compilation);
            shapes.put(epl, compiled);
        }
        String id = rule.get("id").asText();
        JsonNode values = rule.get("values");
        var deployed = runtime.getDeploymentService().deploy(
            compiled, new DeploymentOptions()
                .setStatementNameRuntime(context -> id)
                .setStatementSubstitutionParameter(context -> {
                    for (int at = 0; at < values.size(); at++) {
                        JsonNode value = values.get(at);
                        context.setObject("p" + at, value.isNumber()
                            ? (Object) value.asDouble() : value.asText());
                    }
                }));
        for (EPStatement statement : deployed.getStatements()) {
            statement.addListener(listener);
        }
    }

    /** Takes the translated rules, then what Measurement takes. */
    public static void main(String[] arguments) throws Exception {
        JsonNode translated = new ObjectMapper().readTree(
            Path.of(arguments[0]).toFile());
        EsperPeer peer = new EsperPeer(translated.get("schema").asText());
        for (JsonNode rule : translated.get("rules")) {
            peer.deploy(rule);
        }
        EPEventService service = peer.runtime.getEventService();
        Fields fields = new Fields(translated.get("fields"));
        Measurement.run(
            Arrays.copyOfRange(arguments, 1, arguments.length),
            translated.get("rules").size(),
            line -> line.getBytes(StandardCharsets.UTF_8), event -> {
                peer.matched.clear();
                service.sendEventObjectArray(fields.read(event), "Event");
                return peer.matched.size();
            });
    }

    /** The fields that rules look at, as a tree, each with its place. */
    private static final class Fields {

        private static final JsonFactory JSON = new JsonFactory();
        private final Map<String, Object> root = new HashMap<>();
        private final int size;

        Fields(JsonNode paths) {
            size = paths.size();
            for (int place = 0; place < size; place++) {
                Map<String, Object> owner = root;
                String[] names = paths.get(place).asText().split("\\.");
                for (int at = 0; at < names.length - 1; at++) {
                    owner = object(owner.computeIfAbsent(
                        names[at], name -> new HashMap<String, Object>()));
                }
                owner.put(names[names.length - 1], place);
            }
        }

        /** Returns their values, null where there is none. */
        Object[] read(byte[] event) throws Exception {
            Object[] values = new Object[size];
            try (JsonParser parser = JSON.createParser(event)) {
                parser.nextToken();
                read(parser, root, values);
            }
            return values;
        }

        private static void read(JsonParser parser,
                                 Map<String, Object> fields, Object[] values)
                throws Exception {
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                Object field = fields.get(parser.getCurrentName());
                JsonToken token = parser.nextToken();
                if (field instanceof Map && token == JsonToken.START_OBJECT) {
                    read(parser, object(field), values);
                } else if (field instanceof Integer
                           && token == JsonToken.VALUE_STRING) {
                    values[(Integer) field] = parser.getText();
                } else if (field instanceof Integer && token.isNumeric()) {
                    values[(Integer) field] = parser.getDoubleValue();
                } else {
                    parser.skipChildren();
                }
            }
        }

        @SuppressWarnings("unchecked")
        private static Map<String, Object> object(Object field) {
            return (Map<String, Object>) field;
        }
    }
}
