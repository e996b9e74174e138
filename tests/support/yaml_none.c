/* libyaml for a machine that has none (tests/long/aarch64.sh): every document is refused. */
int yaml_parser_initialize(void *parser);
void yaml_parser_set_encoding(void *parser, int encoding);
void yaml_parser_set_input_string(void *parser, const unsigned char *input, unsigned long bytes);
int yaml_parser_parse(void *parser, void *event);
void yaml_parser_delete(void *parser);
void yaml_event_delete(void *event);

int yaml_parser_initialize(void *parser) { return (void)parser, 0; }
void yaml_parser_set_encoding(void *parser, int encoding) { (void)parser, (void)encoding; }
void yaml_parser_set_input_string(void *parser, const unsigned char *input, unsigned long bytes) {
    (void)parser, (void)input, (void)bytes;
}
int yaml_parser_parse(void *parser, void *event) { return (void)parser, (void)event, 0; }
void yaml_parser_delete(void *parser) { (void)parser; }
void yaml_event_delete(void *event) { (void)event; }
