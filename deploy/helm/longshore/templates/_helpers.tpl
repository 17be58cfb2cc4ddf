{{- define "longshore.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "longshore" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-longshore" (.Release.Name | trunc 40 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* The labels that select a component's pods. Takes a dict of root and component. */}}
{{- define "longshore.selector" -}}
app.kubernetes.io/name: longshore
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "longshore.labels" -}}
{{ include "longshore.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* The reference of a component's image; a digest overrides a tag. Takes a dict of root and image. */}}
{{- define "longshore.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The requirements of the restricted pod security standard, and the user id of the images' files. */}}
{{- define "longshore.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .Values.runAsUser }}
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "longshore.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The placement of a component's pods. Takes a dict of root, component and own. */}}
{{- define "longshore.placement" -}}
{{- with .own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
  {{- $selector := include "longshore.selector" . }}
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $selector | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}

{{/* Settings that hold secrets are files, so that neither the environment nor the pod's description has them.
     Takes a dict of root and names. */}}
{{- define "longshore.secretEnvironment" -}}
{{- range $name := .names }}
{{- if get $.root.Values.secrets $name }}
- {name: {{ $name }}_FILE, value: /etc/longshore/secrets/{{ $name }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "longshore.mounts" -}}
- {name: secrets, mountPath: /etc/longshore/secrets, readOnly: true}
{{- if .Values.certificates }}
- {name: certificates, mountPath: /etc/longshore/certificates, readOnly: true}
{{- end }}
{{- end -}}

{{/* Takes a dict of root and names. */}}
{{- define "longshore.volumes" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name := .names }}
      {{- with get $.root.Values.secrets $name }}
      - secret:
          name: {{ .secret }}
          items: [{key: {{ .key | quote }}, path: {{ $name }}}]
      {{- end }}
      {{- end }}
{{- with .root.Values.certificates }}
- name: certificates
  projected:
    defaultMode: 0444
    sources:
      {{- range . }}
      - configMap:
          name: {{ .configMap }}
          items: [{key: {{ .key | quote }}, path: {{ .name }}}]
      {{- end }}
{{- end }}
{{- end -}}

{{/* `registry=file` for each certificate of a registry, for CA_FILES. */}}
{{- define "longshore.caFiles" -}}
{{- $files := list -}}
{{- range .Values.certificates -}}
{{- if .registry -}}
{{- $files = append $files (printf "%s=/etc/longshore/certificates/%s" .registry .name) -}}
{{- end -}}
{{- end -}}
{{- join "," $files -}}
{{- end -}}

{{/* Seconds until a pod that is to end is killed. The API: its drain, 10 for running requests, the rest for what closes.
     A worker: its grace for running imports, 5 to hand them back, the rest for what closes. */}}
{{- define "longshore.apiTermination" -}}
{{ add .Values.api.drainSeconds 25 }}
{{- end -}}
{{- define "longshore.workerTermination" -}}
{{ add .Values.worker.stopGraceSeconds 30 }}
{{- end -}}

{{/* An egress rule for named peers (none: anywhere) and ports; DNS also uses UDP. */}}
{{- define "longshore.egress" -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- if eq (int .) 53 }}
    - {port: {{ . }}, protocol: UDP}
    {{- end }}
    {{- end }}
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* A setting's value as text. Helm reads every number as a float, and would write a large one as 1e+11. */}}
{{- define "longshore.plain" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end -}}
{{- end -}}

{{/* A component's settings for its ConfigMap. Takes a dict of root and component. */}}
{{- define "longshore.config" -}}
{{- range $name, $value := .root.Values.settings }}
{{ $name }}: {{ include "longshore.plain" $value | quote }}
{{- end }}
{{- range $name, $value := (get .root.Values .component).settings }}
{{ $name }}: {{ include "longshore.plain" $value | quote }}
{{- end }}
{{- with include "longshore.caFiles" .root }}
CA_FILES: {{ . | quote }}
{{- end }}
{{- if eq .component "api" }}
API_HOST: 0.0.0.0
API_PORT: "8080"
METRICS_PORT: "9090"
DRAIN_SECONDS: {{ .root.Values.api.drainSeconds | quote }}
{{- else }}
API_URL: http://{{ include "longshore.fullname" .root }}-api:{{ .root.Values.service.port }}
WORKER_HEALTH_PORT: "8081"
STOP_GRACE_SECONDS: {{ .root.Values.worker.stopGraceSeconds | quote }}
{{- end }}
{{- end -}}
