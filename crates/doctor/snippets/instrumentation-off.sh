export OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=urllib3             # Python
export OTEL_NODE_DISABLED_INSTRUMENTATIONS=http                  # Node
export OTEL_INSTRUMENTATION_SERVLET_ENABLED=false                # Java agent
