// Implement rate limiting
const rateLimiter = new Map();

const checkRateLimit = (clientId, limit = 100, window = 60000) => {
  const now = Date.now();
  const clientLimits = rateLimiter.get(clientId) || [];
  
  // Remove old entries
  const validLimits = clientLimits.filter(time => now - time < window);
  
  if (validLimits.length >= limit) {
    return false; // Rate limit exceeded
  }
  
  validLimits.push(now);
  rateLimiter.set(clientId, validLimits);
  return true;
};
