export OTEL_RESOURCE_ATTRIBUTES="service.version=1.2.3,\
service.instance.id=$HOSTNAME,cloud.availability_zone=zone-a"
