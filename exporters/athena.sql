-- Amazon Athena over what invlog ships, and over what Bedrock's own model invocation logging writes: the layout and the
-- columns are the same. Replace bucket, prefix, account and Region in the template; a table stands for one of each.
--
-- Partition projection: no crawler and no MSCK REPAIR; `datehour` in a WHERE decides what is read, as in
--   SELECT invlog.host, modelid, count(*) AS calls, sum(input.inputtokencount) AS input, sum(output.outputtokencount) AS output
--   FROM invocations
--   WHERE datehour BETWEEN '2026/11/25/00' AND '2026/11/25/23' AND schematype = 'ModelInvocationLog'
--   GROUP BY 1, 2;
-- Athena reads below a partition too: schematype leaves out the bodies in data/. gzip and zstd are told by the name's end.
CREATE EXTERNAL TABLE invocations (
  schematype      string,
  schemaversion   string,
  `timestamp`     string,
  accountid       string,
  identity        struct<arn:string>,
  region          string,
  requestid       string,
  operation       string,
  modelid         string,
  inferenceregion string,
  errorcode       string,
  requestmetadata map<string,string>,
  input           struct<inputcontenttype:string, inputbodyjson:string, inputbodys3path:string, inputtokencount:bigint,
                         cachereadinputtokencount:bigint, cachewriteinputtokencount:bigint>,
  output          struct<outputcontenttype:string, outputbodyjson:string, outputbodys3path:string, outputtokencount:bigint>,
  invlog          struct<id:bigint, outcome:string, status:int, latencyms:double, firstbytems:double, stream:boolean,
                         stopreason:string, host:string, caller:struct<user:string, executable:string, pid:bigint>>
)
PARTITIONED BY (datehour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true', 'case.insensitive' = 'true')
STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://records-eu/AWSLogs/123456789012/BedrockModelInvocationLogs/eu-central-1/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.datehour.type' = 'date',
  'projection.datehour.format' = 'yyyy/MM/dd/HH',
  'projection.datehour.range' = '2026/01/01/00,NOW',
  'projection.datehour.interval' = '1',
  'projection.datehour.interval.unit' = 'HOURS',
  'storage.location.template' = 's3://records-eu/AWSLogs/123456789012/BedrockModelInvocationLogs/eu-central-1/${datehour}'
);
