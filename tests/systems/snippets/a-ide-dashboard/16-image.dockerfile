# Dockerfile
FROM node:18-alpine
WORKDIR /app
COPY . .
RUN npm ci --only=production
RUN npm run build

EXPOSE 3000
CMD ["node", "server.js"]
